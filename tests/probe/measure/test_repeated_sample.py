"""A sample that tells nothing new is its figures, and the states of the one before."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradgate.probe.measure.repeated_sample import Positions, Repeated, RepeatedSample
from gradgate.probe.model.sample import GRAD_MAX, GRAD_NORM

NAN = float("nan")


def repeated(states: list[int], positions: Positions) -> Repeated:
    return Repeated(np.array(states, np.uint8), positions)


@pytest.mark.parametrize(
    ("states", "positions", "wanted"),
    [
        ([1, 1, 1], slice(0, 3), [1.0, 2.0, 3.0]),
        ([0, 1, 1, 1, 0], slice(1, 4), [NAN, 1.0, 2.0, 3.0, NAN]),
        ([1, 1, 1], np.array([2, 0, 1]), [2.0, 3.0, 1.0]),
        ([1, 0, 1, 1], np.array([3, 0, 2]), [2.0, NAN, 3.0, 1.0]),
    ],
)
def test_each_figure_is_that_of_its_parameter(
    states: list[int], positions: Positions, wanted: list[float]
) -> None:
    """In whatever order an optimizer holds them; there is none of what it does not hold."""
    figures = {GRAD_NORM: torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)}
    sample = RepeatedSample(7, 0.5, figures, repeated(states, positions)).sample()
    assert (sample.step, sample.time, sample.states.tolist()) == (7, 0.5, states)
    assert (sample.skipped, sample.waiting) == (False, frozenset())
    assert sample.values[GRAD_NORM].dtype == np.float32
    np.testing.assert_array_equal(sample.values[GRAD_NORM], wanted)


def test_it_is_made_once_and_as_large_as_it_says() -> None:
    """For who sends and for who judges; it is there as soon as it is asked for."""
    values = torch.ones(4, dtype=torch.float64)
    late = RepeatedSample(
        1, 0.0, {GRAD_NORM: values, GRAD_MAX: values}, repeated([1] * 4, slice(0, 4))
    )
    assert late.ready()
    assert late.size == 1000 + 4 * (1 + 2 * 4)
    assert late.sample() is late.sample()
