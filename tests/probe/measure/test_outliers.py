"""Steps that are out of line with those before them."""

from __future__ import annotations

import math

import pytest

from gradgate.probe.measure.outliers import LEAST, SPIKE, WINDOW, Outliers
from gradgate.probe.model.totals import NONFINITE, StepTotal


def told(norms: list[float]) -> list[int]:
    """The places of the norms that are told."""
    outliers = Outliers()
    return [
        place
        for place, norm in enumerate(norms)
        if outliers.receive(StepTotal(place, norm, 0 if math.isfinite(norm) else NONFINITE))
    ]


def test_a_spike_is_told_at_its_step() -> None:
    """And what is large, but not so much above the median, is none."""
    usual = [1.0, 1.2] * LEAST
    assert told([*usual, 1000.0, 1.0]) == [len(usual)]
    assert told([*usual, 1.2 * SPIKE - 1, 1.0]) == []


def test_nothing_is_out_of_line_with_little() -> None:
    """Before there are enough norms a large one may be what is usual."""
    assert told([1.0] * (LEAST - 1) + [1000.0]) == []


def test_gradients_that_were_zero_make_no_spike() -> None:
    """The first one that is not would be any number of times as large."""
    assert told([0.0] * 2 * LEAST + [1.0]) == []


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_what_is_not_finite_is_told_once(broken: float) -> None:
    """At its first step, whatever came before, and again after a finite one."""
    assert told([broken, broken, 1.0, broken]) == [0, 3]


def test_a_new_level_is_told_once_and_then_usual() -> None:
    """It is no spike for the rest of the run."""
    raised = [100.0] * WINDOW
    assert told([*[1.0] * LEAST, *raised, 100.0, 2000.0]) == [LEAST, LEAST + WINDOW + 1]


def test_norms_that_are_not_finite_leave_the_median_as_it_is() -> None:
    """A spike after them is one all the same."""
    assert told([*[1.0] * LEAST, *[math.nan] * WINDOW, 1.0, 50.0]) == [LEAST, LEAST + WINDOW + 1]
