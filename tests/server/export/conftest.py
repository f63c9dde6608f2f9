"""A run as a probe sends it, and the tables that come out of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow
import pytest
from numpy.typing import NDArray
from pyarrow import parquet

from tests.support.probing import (
    NONFINITE,
    OTHER_STATISTICS,
    PRESENT,
    FakeProbe,
    hello,
    pack_sample,
    table_row,
)
from tests.support.serving import ServerProcess

Sent = list[tuple[int, float, bool, list[int], dict[int, NDArray[np.float32]]]]
COUNT = 150
LATER = 20
"""Parameters that are there from the first sample, and that came before the last ones."""


@pytest.fixture
def export(shared_server: ServerProcess, run: str) -> Callable[..., bytes]:
    """Asks for a file of the run."""

    def ask(**query: Any) -> bytes:
        answer = shared_server.page(f"/api/runs/{run}/export", params=query)
        assert answer.status_code == 200, answer.text
        return answer.content

    return ask


@pytest.fixture
def parquet_table(export: Callable[..., bytes]) -> Callable[..., pyarrow.Table]:
    """Asks for a table of the run as Parquet, and reads it."""

    def ask(table: str, **query: Any) -> pyarrow.Table:
        data = export(format="parquet", table=table, **query)
        return parquet.read_table(pyarrow.BufferReader(data))

    return ask


@pytest.fixture
def csv_rows(export: Callable[..., bytes]) -> Callable[..., list[dict[str, str]]]:
    """Asks for a table of the run as CSV, and reads it."""

    def ask(table: str, **query: Any) -> list[dict[str, str]]:
        text = export(format="csv", table=table, **query).decode()
        return list(csv.DictReader(io.StringIO(text, newline="")))

    return ask


@pytest.fixture
def sent(shared_server: ServerProcess, run: str) -> Iterator[Sent]:
    """What a probe sent: samples of two blocks of parameters, in several commits."""
    names = [f"layer{place // 10}.p{place}" for place in range(COUNT + LATER)]
    random = np.random.default_rng(0)
    found: Sent = []
    with FakeProbe(shared_server, hello(run, names[:COUNT])) as probe:
        seq = 0
        for number in range(40):
            count = COUNT
            if number == 30:
                seq += 1
                table = [table_row(name) for name in names]
                probe.send({"type": "parameters", "seq": seq, "parameters": table})
            if number >= 30:
                count += LATER
            seq += 1
            sample = _sample(random, number, count)
            step, time, skipped, states, values = sample
            rows = {code: row.tolist() for code, row in values.items()}
            probe.send(pack_sample(seq, step, states, rows, skipped=skipped, at=time))
            found.append(sample)
            if number % 9 == 0:
                probe.until_acked(seq)
        probe.until_acked(seq)
        yield found


def _sample(
    random: np.random.Generator, number: int, count: int
) -> tuple[int, float, bool, list[int], dict[int, NDArray[np.float32]]]:
    """Figures of every size, with zeros, infinities and NaN; some of them not taken."""
    states = [NONFINITE if place % 13 == number % 13 else PRESENT for place in range(count)]
    norms = (10 ** random.uniform(-44, 38, count)).astype(np.float32)
    bad = np.array(states) == NONFINITE
    norms[bad] = np.where(random.random(bad.sum()) < 0.5, np.nan, np.inf)
    values = {1: norms}
    for code in OTHER_STATISTICS.values():
        if number % 3 == 0:
            values[code] = random.random(count, np.float32)
            values[code][random.random(count) < 0.5] = np.nan
    return 3 + 2 * number, 1.7e9 + random.random(), number % 7 == 0, states, values
