"""The parts that measure, put together for the steps of a run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from gradgate.probe.base.guard import Guard
from gradgate.probe.base.states import State
from gradgate.probe.measure.measurement import Measurement
from gradgate.probe.measure.pace import Pace
from gradgate.probe.measure.schedule import LONGEST_REST
from gradgate.probe.model.sample import Sample
from gradgate.probe.model.table import ParameterTable


class Steps:
    """A model of two layers, an optimizer for each or one for both, and what is measured of it."""

    def __init__(self, *, every: int = 1, several: bool = False, budget: float = 0.01) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
        groups = [list(layer.parameters()) for layer in self.model]
        groups = groups if several else [list(self.model.parameters())]
        self.optimizers: Sequence[Optimizer] = [torch.optim.SGD(g, lr=0.1) for g in groups]
        models = {"": self.model}
        self.numbers = count(1)
        self.measurement = Measurement(
            models,
            self.optimizers,
            ParameterTable(models),
            Pace(every, budget),
            Guard(),
            coming_step=lambda: 1,
            table_changed=lambda rows: None,
            backward_ended=lambda: None,
        )

    def step(self, *, backward: bool = True, clear: bool = True) -> None:
        """Make one step, as the hooks of a run do."""
        if clear:
            self.model.zero_grad()
        if backward:
            self.model(torch.ones(1, 2)).sum().backward()
        for k in range(len(self.optimizers)):
            self.measurement.measure(k)
            self.measurement.retire(k)
        number = next(self.numbers)
        sampled = self.measurement.schedule.sampling
        if sampled:
            self.measurement.finish_sample(number, frozenset(), skipped=False)
        self.measurement.end_step(number, 0.0, sampled=sampled, late=False)

    def samples(self) -> list[Sample]:
        return [each.sample for each in self.measurement.collect(wait=True)[0]]


def states(sample: Sample) -> set[State]:
    return {State(code) for code in sample.states}


def test_only_steps_whose_turn_it_is_are_measured() -> None:
    """A step between two samples leaves nothing behind, and the latest sample is kept."""
    steps = Steps(every=3)
    latest = steps.measurement.latest
    assert latest.sample is None
    for _ in range(7):
        steps.step()
    assert [sample.step for sample in steps.samples()] == [3, 6]
    assert latest.sample is not None
    assert latest.sample.step == 6
    assert steps.samples() == []


@pytest.mark.parametrize("several", [False, True])
def test_a_gradient_that_an_earlier_step_used_is_stale(several: bool) -> None:
    """Also where each of several optimizers has used its own before the other's step."""
    steps = Steps(several=several)
    steps.step()
    steps.step(backward=False, clear=False)
    first, second = steps.samples()
    assert states(first) == {State.PRESENT}
    assert states(second) == {State.STALE}


@pytest.mark.parametrize("several", [False, True])
def test_between_samples_marks_are_set_where_they_may_be_asked_for(several: bool) -> None:
    """With several optimizers nobody knows whose step is sampled next."""
    steps = Steps(every=4, several=several)
    steps.step()
    marked = [bool(p.grad.__dict__) for p in steps.model.parameters() if p.grad is not None]
    assert marked == [several] * 4


def test_marks_are_set_in_every_step_while_somebody_wants_to_know() -> None:
    """A gate asks in steps that are not sampled; gradients of before count as old from then on."""
    steps = Steps(every=10)
    weight = steps.model[0].weight
    steps.model(torch.ones(1, 2)).sum().backward()
    steps.measurement.mark_every_step(late=False)
    assert weight.grad is not None
    assert not steps.measurement.is_new(0, weight.grad)
    steps.step()
    assert not steps.measurement.is_new(0, weight.grad)
    steps.measurement.mark_sampled_steps()
    steps.step()
    assert steps.measurement.is_new(0, weight.grad)


def test_gradients_of_a_step_inside_the_backward_stay_new() -> None:
    """Where a boundary comes late, what is there belongs to the coming step."""
    steps = Steps()
    steps.model(torch.ones(1, 2)).sum().backward()
    steps.measurement.mark_every_step(late=True)
    weight = steps.model[0].weight
    assert weight.grad is not None
    assert steps.measurement.is_new(0, weight.grad)


def test_nothing_is_left_behind() -> None:
    """Marks and hooks go at the end."""
    steps = Steps()
    steps.step()
    steps.measurement.remove()
    for parameter in steps.model.parameters():
        assert not parameter._post_accumulate_grad_hooks
        assert parameter.grad is not None
        assert not parameter.grad.__dict__
    assert not steps.model._forward_hooks
    assert not steps.model._forward_pre_hooks


def test_whoever_begins_to_look_soon_after_another_is_seen_when_a_sample_may_follow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is not forgotten until the next sample in turn."""
    monkeypatch.setattr("gradgate.probe.measure.focus.INTERVAL", 0.0)
    steps = Steps(every=10 * LONGEST_REST, budget=1e9)
    for watched in ([0], [0, 1]):
        steps.measurement.focus.watch(watched, 1e9)
        for _ in range(LONGEST_REST - 10):
            steps.step()
    looks = [each.distributions for each in steps.measurement.collect(wait=True)[0]]
    assert [look.step for look in looks if look] == [2, LONGEST_REST + 2]
