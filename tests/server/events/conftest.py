"""Detectors without a store: records in, findings out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from gradgate.server.events.finding import Finding
from gradgate.server.events.thresholds import Thresholds
from gradgate.server.events.watch import Watch
from gradgate.server.protocol.frames import Sample
from gradgate.server.protocol.statistics import Statistic
from tests.support.detecting import Sampled
from tests.support.probing import PRESENT


@pytest.fixture
def watch() -> Watch:
    """The detectors of one run, with thresholds that are soon reached."""
    thresholds = Thresholds(dead_after=5, not_moving_after=3, pause=4)
    return Watch(thresholds, lambda detector, record: list(detector.find(record)))


@pytest.fixture
def sampled(watch: Watch) -> Sampled:
    """Shows a sample of each step in turn, and returns what is found in it."""
    steps = iter(range(1, 10**6))

    def show(
        norms: Sequence[float],
        states: Sequence[int] | None = None,
        ratios: Sequence[float] | None = None,
        *,
        skipped: bool = False,
    ) -> list[Finding]:
        step = next(steps)
        values = {int(Statistic.GRAD_NORM): np.array(norms, np.float32)}
        if ratios is not None:
            values[int(Statistic.UPDATE_RATIO)] = np.array(ratios, np.float32)
        codes = np.array(states or [PRESENT] * len(norms), np.uint8)
        sample = Sample(step, step, float(step), skipped, codes, values)
        return watch.see_sample(sample, step - 1)

    return show
