"""A parameter as the run reports it in Python."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gradgate.probe.base.states import State
from gradgate.probe.model.parameter_info import describe
from gradgate.probe.model.sample import GRAD_MAX, GRAD_NORM, UPDATE_RATIO, WEIGHT_NORM, Sample
from gradgate.probe.model.table import TableRow


def row(**changes: Any) -> TableRow:
    plain: dict[str, Any] = {
        "names": ["a.w", "b.w"],
        "module": "a",
        "shape": [2, 3],
        "numel": 6,
        "dtype": "float32",
        "device": "cpu",
        "in_optimizer": True,
        "requires_grad": True,
    }
    return TableRow(**{**plain, **changes})


def sample(*norms: float) -> Sample:
    states = np.full(len(norms), State.PRESENT, np.uint8)
    return Sample(7, 0.0, states, {GRAD_NORM: np.array(norms, np.float32)})


def others(*values: float) -> dict[int, np.ndarray[Any, Any]]:
    """The same values of every statistic that is not in each sample."""
    return {code: np.array(values, np.float32) for code in (GRAD_MAX, UPDATE_RATIO, WEIGHT_NORM)}


def test_before_the_first_sample_nothing_is_claimed() -> None:
    """It is unmeasured, not absent or zero."""
    info = describe(0, row(), None, None, {})
    assert (info.state, info.grad_norm, info.grad_max, info.step) == ("unmeasured",) + (None,) * 3
    assert info.name == "a.w"
    assert info.names == ("a.w", "b.w")


def test_a_sample_gives_the_state_and_the_norm() -> None:
    """Of the parameter's own index."""
    info = describe(1, row(), None, sample(1.0, 2.5), others(3.0, 4.5))
    assert (info.state, info.grad_norm, info.grad_max, info.step) == ("present", 2.5, 4.5, 7)
    assert (info.update_ratio, info.weight_norm) == (4.5, 4.5)


@pytest.mark.parametrize("index", [1, 2])
def test_a_sample_that_is_older_than_the_parameter_says_nothing_of_it(index: int) -> None:
    """Samples are as long as the table was when they were taken."""
    info = describe(index, row(), None, sample(1.0), others(3.0))
    assert (info.state, info.grad_norm, info.grad_max, info.step) == ("unmeasured",) + (None,) * 3


@pytest.mark.parametrize("norm", [math.nan, math.inf])
def test_what_is_not_finite_is_no_number(norm: float) -> None:
    """The state tells of it; a figure would have to be written as JSON."""
    info = describe(0, row(), None, sample(norm), others(norm))
    assert (info.grad_norm, info.grad_max, info.update_ratio) == (None, None, None)


def test_what_left_the_model_has_no_largest_magnitude() -> None:
    """The one that is known was taken while it was there."""
    info = describe(0, row(removed=True), None, None, others(3.0))
    assert info.removed
    assert info.grad_max is None
