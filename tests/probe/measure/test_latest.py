"""Every parameter as of the latest sample."""

from __future__ import annotations

import numpy as np
from torch import nn

from gradgate.probe.base.states import State
from gradgate.probe.measure.latest import LatestSample
from gradgate.probe.model.freeze import Freeze
from gradgate.probe.model.sample import GRAD_MAX, GRAD_NORM, UPDATE_RATIO, Sample
from gradgate.probe.model.table import ParameterTable


def sample(step: int, norm: float, largest: float | None = None) -> Sample:
    values = {GRAD_NORM: np.array([norm], np.float32)}
    if largest is not None:
        values[GRAD_MAX] = np.array([largest], np.float32)
    return Sample(step, 0.0, np.array([State.PRESENT], np.uint8), values)


def test_parameters_are_told_as_of_the_latest_sample() -> None:
    """The largest magnitude is that of the latest sample that took it."""
    rows = ParameterTable({"": nn.Linear(1, 1, bias=False)}).rows([True])
    freeze = Freeze("python", "grad", 1, None)
    latest = LatestSample()
    (info,) = latest.parameters(rows, {})
    assert (info.state, info.grad_norm, info.grad_max, info.step) == ("unmeasured",) + (None,) * 3
    latest.receive(sample(1, 2.0, 4.0))
    latest.receive(sample(2, 3.0))
    (info,) = latest.parameters(rows, {0: freeze})
    assert (info.grad_norm, info.grad_max, info.step, info.frozen) == (3.0, 4.0, 2, freeze)


def test_movement_is_that_of_the_latest_look_at_each_parameter() -> None:
    """A sample has that of a share of them, and the table may have grown since."""
    latest = LatestSample()
    for ratios in ([1.0, np.nan], [np.nan, 2.0, np.nan], [3.0, np.nan, np.nan]):
        states = np.full(len(ratios), State.PRESENT, np.uint8)
        latest.receive(Sample(1, 0.0, states, {UPDATE_RATIO: np.array(ratios, np.float32)}))
    assert [latest.figure(UPDATE_RATIO, index) for index in range(4)] == [3.0, 2.0, None, None]
    assert latest.figure(GRAD_MAX, 0) is None


def test_when_a_gradient_was_useful_last_is_known() -> None:
    """Of a parameter that was added later, too; None of one that never had any."""
    latest = LatestSample()
    assert latest.useful_in(0) is None
    absent, present = State.ABSENT, State.PRESENT
    seen = []
    for step, states in (
        (2, [present, absent]),
        (3, [present, absent]),
        (5, [absent, absent, present]),
        (7, [absent] * 3),
        (8, [absent] * 3),
    ):
        norms = {GRAD_NORM: np.ones(len(states), np.float32)}
        latest.receive(Sample(step, 0.0, np.array(states, np.uint8), norms))
        seen.append(latest.useful_in(0))
    assert seen == [2, 3, 3, 3, 3]
    assert [latest.useful_in(index) for index in range(4)] == [3, None, 5, None]
