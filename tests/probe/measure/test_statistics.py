"""The statistics of a sample, and which sample takes which."""

from __future__ import annotations

import pytest
import torch

from gradgate.probe.measure.statistics import STATISTICS, Statistic, due
from gradgate.probe.model.sample import GRAD_MAX, GRAD_NORM


def codes(sample: int) -> list[int]:
    return [statistic.code for statistic in due(sample)]


def test_the_dear_statistic_is_taken_with_every_tenth_sample() -> None:
    """The first sample has everything, and from then on each tenth."""
    assert [codes(n) for n in (0, 10, 20)] == [[GRAD_NORM, GRAD_MAX]] * 3
    assert [codes(n) for n in (1, 9, 11, 19)] == [[GRAD_NORM]] * 4


def test_codes_are_those_of_the_protocol_and_no_two_the_same() -> None:
    """A statistic keeps its code for good: stores of years ago have it."""
    assert [(each.code, each.every) for each in STATISTICS] == [(1, 1), (2, 10)]


@pytest.mark.parametrize("statistic", STATISTICS, ids=lambda each: str(each.code))
def test_a_statistic_grows_with_the_gradient(statistic: Statistic) -> None:
    """So that the loss scale of AMP can be taken out of it afterwards."""
    torch.manual_seed(0)
    grads = [torch.randn(5), torch.randn(3, 4)]
    once = statistic.measure(grads, None)
    assert once.dtype == torch.float64
    assert torch.equal(statistic.measure([4 * grad for grad in grads], None), 4 * once)
