"""Where requires_grad was switched, and what was used of a parameter meanwhile."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradgate.probe.diagnosis.switches import (
    OffTime,
    last_switched_off,
    off_in_backward,
    off_when_used,
)
from tests.support.tracing import Recorded


def line_of(time: OffTime | None) -> tuple[str | None, str | None] | None:
    """Return the functions in which it was switched off and on."""
    if time is None:
        return None
    off, on = time.off, time.on
    return None if off is None else off.function, None if on is None else on.function


class Step:
    """A model of one weight, and a step of it made of these acts."""

    def __init__(self, *acts: str, trainable: bool = True) -> None:
        self.model = nn.Linear(2, 2, bias=False).requires_grad_(trainable)
        self.acts = acts

    def off(self) -> None:
        self.model.weight.requires_grad = False

    def detach(self) -> None:
        self.model.weight.detach_()

    def on(self) -> None:
        self.model.requires_grad_(True)

    def use(self) -> None:
        self.loss = self.model(torch.ones(1, 2, requires_grad=True)).sum()

    def backward(self) -> None:
        self.loss.backward()

    def run(self) -> Recorded:
        def step() -> None:
            for act in self.acts:
                getattr(self, act)()

        return Recorded(step, self.model)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (Step("off", "use", "on"), ("off", "on")),
        (Step("detach", "use", "on"), ("detach", "on")),
        (Step("use", "on", trainable=False), (None, "on")),
        (Step("off", "use"), ("off", None)),
        (Step("use", trainable=False), None),
        (Step("use", "off", "on"), None),
        (Step("off", "on", "use"), None),
        (Step("off", "use", "on", "use"), None),
        (Step("off", "on"), None),
    ],
)
def test_a_use_without_gradient_lies_between_two_switches(
    step: Step, expected: tuple[str | None, str | None] | None
) -> None:
    """It is told only where there is no use with one."""
    recorded = step.run()
    weight = id(step.model.weight)
    assert line_of(off_when_used(weight, recorded.tape, recorded.dataflow)) == expected


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (Step("use", "off", "backward", "on"), ("off", "on")),
        (Step("use", "off", "backward"), ("off", None)),
        (Step("use", "backward", "off", "on"), None),
        (Step("off", "on", "use", "backward"), None),
    ],
)
def test_a_backward_may_lie_between_two_switches(
    step: Step, expected: tuple[str | None, str | None] | None
) -> None:
    """A graph that was made with gradient then has none to keep."""
    recorded = step.run()
    assert line_of(off_in_backward(id(step.model.weight), recorded.tape)) == expected


@pytest.mark.parametrize(
    ("step", "expected"),
    [(Step("off", "on", "detach"), "detach"), (Step("off", "on"), "off"), (Step("on"), None)],
)
def test_the_last_switch_off_is_known(step: Step, expected: str | None) -> None:
    """Whatever was switched on between."""
    place = last_switched_off(id(step.model.weight), step.run().tape)
    assert (None if place is None else place.function) == expected
