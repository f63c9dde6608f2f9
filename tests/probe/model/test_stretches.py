"""Samples that are judged as one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradgate.probe.base.states import State
from gradgate.probe.model.sample import GRAD_MAX, GRAD_NORM
from gradgate.probe.model.stretches import stretches, values_of
from tests.support.samples import sample

GOOD, NONE = State.PRESENT, State.ABSENT


def test_those_in_a_row_with_the_same_states_are_together() -> None:
    """In their order, and also where each has an array of its own."""
    samples = [sample(step, GOOD, state) for step, state in enumerate([GOOD, GOOD, NONE, GOOD])]
    samples.append(sample(4, GOOD))
    found = [[each.step for each in stretch] for stretch in stretches(samples)]
    assert found == [[0, 1], [2], [3], [4]]


def test_what_was_skipped_or_waits_is_by_itself() -> None:
    """Though its states are those of the one before."""
    for more in ({"skipped": True}, {"waiting": [0]}):
        samples = [sample(0, GOOD), sample(1, GOOD, **more), sample(2, GOOD, **more)]  # type: ignore[arg-type]
        assert [len(stretch) for stretch in stretches(samples)] == [1, 1, 1]


def test_a_statistic_has_a_row_for_each_sample() -> None:
    """None where one of them has no such figures."""
    norms = [np.array([1.0, 2.0], np.float32), np.array([3.0, np.nan], np.float32)]
    stretch = [replace(sample(0, GOOD, GOOD), values={GRAD_NORM: each}) for each in norms]
    rows = values_of(stretch, GRAD_NORM)
    np.testing.assert_array_equal(rows, np.stack(norms))  # type: ignore[arg-type]
    stretch[1] = replace(stretch[1], values={GRAD_MAX: norms[1]})
    assert values_of(stretch, GRAD_NORM) is None
