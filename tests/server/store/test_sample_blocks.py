"""All samples of a run, as they are taken out, whether they were merged or not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sqlalchemy import Connection

from gradgate.server.protocol.statistics import Statistic
from gradgate.server.store.levels.merging import next_merge
from gradgate.server.store.sample_blocks import (
    next_stretch,
    read_block,
    sample_count,
    sampled_steps,
)
from gradgate.server.store.samples import append_samples
from tests.server.store.levels.conftest import noise, sample

NORM, WEIGHT = Statistic.GRAD_NORM, Statistic.WEIGHT_NORM


def test_every_sample_comes_out_once_and_in_its_order(
    connection: Connection, open_with: Callable[[int], str]
) -> None:
    """With its step, time, flag, states and values, from blocks and from what is newer."""
    run = open_with(130)
    made = noise(run, 1300, 130)
    for first in range(0, 1300, 100):
        rows = [sample(made, place) for place in range(first, first + 100)]
        append_samples(connection, run, first, rows)
    while (merge := next_merge(connection, run)) is not None:
        merge.apply(connection)
    assert sampled_steps(connection, run) == (0, 1299)
    end = sample_count(connection, run)
    assert end == 1300
    number = 0
    while (stretch := next_stretch(connection, run, number, end, None, None)) is not None:
        here = slice(number, stretch.end)
        steps = np.arange(number, stretch.end)
        assert stretch.axis.steps.tolist() == steps.tolist()
        np.testing.assert_array_equal(stretch.axis.times, steps / 3)
        np.testing.assert_array_equal(stretch.axis.skipped, steps % 7 == 0)
        found = read_block(connection, run, 1, stretch, [NORM, WEIGHT])
        np.testing.assert_array_equal(found.states[:, :2], made.states[here, 128:])
        np.testing.assert_allclose(found.values[NORM][:, :2], made.norms[here, 128:], rtol=0.001)
        np.testing.assert_allclose(
            found.values[WEIGHT][:, :2], made.weights[here, 128:], rtol=0.001
        )
        number = stretch.end
    assert number == 1300
