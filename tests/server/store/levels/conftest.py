"""Runs of many samples, appended in commits of any size and merged as the server would."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Connection

from gradgate.server.protocol.frames import Sample
from gradgate.server.protocol.states import State
from gradgate.server.protocol.statistics import Statistic
from gradgate.server.store.levels.merging import next_merge
from gradgate.server.store.samples import append_samples


@dataclass(frozen=True)
class Recorded:
    """What a run was given: arrays of (samples, parameters); step n is sample n."""

    run: str
    states: NDArray[np.uint8]
    norms: NDArray[np.float32]
    weights: NDArray[np.float32]


Record = Callable[[Sequence[int], int], Recorded]


@pytest.fixture
def record(connection: Connection, open_with: Callable[[int], str]) -> Record:
    """Records a run: commits of so many samples each, of so many parameters."""

    def record_run(commits: Sequence[int], width: int) -> Recorded:
        run = open_with(width)
        made = noise(run, sum(commits), width)
        first = 0
        for size in commits:
            rows = [sample(made, place) for place in range(first, first + size)]
            append_samples(connection, run, first, rows)
            first += size
        return made

    return record_run


def noise(run: str, samples: int, width: int) -> Recorded:
    """Norms that wander over decades, some of them of no finite value, and weights in turn."""
    draw = np.random.default_rng(width)
    norms = np.exp(draw.normal(-3, 2, (samples, width))).astype(np.float32)
    states = np.full((samples, width), State.PRESENT, np.uint8)
    odd = draw.random((samples, width))
    for state, value, bound in (
        (State.ZERO, 0, 0.002),
        (State.NONFINITE, np.inf, 0.004),
        (State.ABSENT, np.nan, 0.006),
        (State.PRESENT, 1e-42, 0.007),
    ):
        here = (odd < bound) & (odd >= bound - 0.002)
        norms[here], states[here] = value, state
    weights = np.full((samples, width), np.nan, np.float32)
    for place in range(width):
        weights[place::width, place] = 1 + place + np.arange(len(weights[place::width])) / 1000
    return Recorded(run, states, norms, weights)


def sample(made: Recorded, place: int) -> Sample:
    """One sample of a run."""
    values = {
        int(Statistic.GRAD_NORM): made.norms[place],
        int(Statistic.WEIGHT_NORM): made.weights[place],
    }
    if place % 10 == 0:
        values[int(Statistic.GRAD_MAX)] = made.norms[place] / 2
    return Sample(place + 1, place, place / 3, place % 7 == 0, made.states[place], values)


def merge_all(connection: Connection, run: str) -> int:
    """Merge as long as there is something to merge; returns how often."""
    count = 0
    while (merge := next_merge(connection, run)) is not None:
        merge.apply(connection)
        count += 1
    return count
