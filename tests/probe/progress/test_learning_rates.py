"""Learning rates that are 0, and since when."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR

from gradgate.probe.progress.learning_rates import LearningRates, rate_of


def two_groups(first: float = 0.0) -> SGD:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    groups = [{"params": model[0].parameters(), "lr": first}, {"params": model[1].parameters()}]
    return SGD(groups, lr=0.1)


def test_a_group_is_named_with_the_first_step_that_has_a_rate_of_0() -> None:
    """The other is not; both together are all."""
    optimizer = two_groups()
    rates = LearningRates([optimizer])
    for step in (3, 4):
        rates.read(0, step)
    zero = rates.zero((0, 0))
    assert zero is not None
    assert (zero.optimizer, zero.since_step, zero.was_positive) == ("SGD", 3, False)
    assert zero.schedule is None
    assert rates.zero((0, 1)) is None
    assert not rates.all_zero
    optimizer.param_groups[1]["lr"] = 0
    rates.read(0, 5)
    assert rates.all_zero
    second = rates.zero((0, 1))
    assert second is not None
    assert second.was_positive


def test_a_rate_that_rises_ends_it() -> None:
    """As a warm-up does."""
    optimizer = two_groups()
    rates = LearningRates([optimizer])
    rates.read(0, 1)
    optimizer.param_groups[0]["lr"] = 0.5
    rates.read(0, 2)
    assert rates.zero((0, 0)) is None


def ramp(step: int, length: int) -> float:
    """A formula of the script's own."""
    return step / length


def test_a_schedule_is_named_with_the_line_of_its_formula() -> None:
    """Also through a partial; one of torch's own has none."""
    optimizer = SGD(nn.Linear(2, 2).parameters(), lr=0.1)
    schedule = LambdaLR(optimizer, partial(ramp, length=5))
    rates = LearningRates([optimizer])
    rates.read(0, 1)
    zero = rates.zero((0, 0))
    assert zero is not None
    assert zero.schedule is not None
    assert zero.schedule.name == "LambdaLR"
    place = zero.schedule.place
    assert place is not None
    lines = Path(__file__).read_text("utf-8").splitlines()
    assert lines[place.line - 1].startswith("def ramp")
    del schedule

    other = SGD(nn.Linear(2, 2).parameters(), lr=0.1)
    cosine = CosineAnnealingLR(other, 1)
    other.step()
    cosine.step()
    rates = LearningRates([other])
    rates.read(0, 2)
    zero = rates.zero((0, 0))
    assert zero is not None
    assert zero.schedule is not None
    assert (zero.schedule.name, zero.schedule.place) == ("CosineAnnealingLR", None)


def test_a_rate_may_be_a_tensor_or_missing() -> None:
    """One on another device is not waited for."""
    assert rate_of({"lr": torch.tensor(0.5)}) == 0.5
    assert rate_of({"lr": torch.tensor(0.5, device="meta")}) is None
    assert rate_of({}) is None
