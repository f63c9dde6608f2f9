"""Metrics of many values, logged and merged as the server would."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Connection, insert

from gradgate.server.store.metrics import merging, ranges, sizes, values
from gradgate.server.store.metrics.merging import next_metric_merge
from gradgate.server.store.tables import metrics

Log = Callable[[NDArray[np.int64], NDArray[np.float64]], None]


@pytest.fixture
def log(connection: Connection, opened: str) -> Log:
    """Logs a loss at some steps, one a frame, with the step as its time."""

    def append(steps: NDArray[np.int64], numbers: NDArray[np.float64]) -> None:
        rows = [
            {
                "run": opened,
                "name": "loss",
                "seq": seq,
                "step": step,
                "time": float(step),
                "value": None if np.isnan(value) else value,
            }
            for seq, (step, value) in enumerate(zip(steps.tolist(), numbers.tolist(), strict=True))
        ]
        connection.execute(insert(metrics), rows)

    return append


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 16 values, so that few values make many levels."""
    for module in (sizes, merging, values):
        monkeypatch.setattr(module, "BLOCK", 16)
    for module in (sizes, ranges):
        monkeypatch.setattr(module, "ENTRIES", 4)
    for module in (sizes, merging, ranges):
        monkeypatch.setattr(module, "FACTOR", 4)


@pytest.fixture
def merge(connection: Connection, opened: str) -> Callable[[], int]:
    """Merges all that there is to merge, and returns how often it did."""

    def merge_all() -> int:
        count = 0
        while (found := next_metric_merge(connection, opened)) is not None:
            found.apply(connection)
            count += 1
        return count

    return merge_all
