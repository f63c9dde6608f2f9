"""Gradients that are applied and dropped inside the backward."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

from gradgate import probe
from gradgate.probe.link.uplink import Uplink
from gradgate.probe.measure.released import ASKED
from gradgate.probe.model.distribution import Distributions
from gradgate.probe.model.sample import GRAD_NORM
from gradgate.probe.session.run import job_of


def model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))


def counted(parameter: nn.Parameter) -> None:
    """Apply a gradient by a write that PyTorch counts."""
    with torch.no_grad():
        parameter.sub_(parameter.grad, alpha=0.1)
    parameter.grad = None


def uncounted(parameter: nn.Parameter) -> None:
    """Apply a gradient by a write that it does not count."""
    assert parameter.grad is not None
    parameter.data -= 0.1 * parameter.grad
    parameter.grad = None


class Loop:
    """A job in which something happens to each gradient as soon as it is there."""

    def __init__(
        self,
        apply: Callable[[nn.Parameter], None] | None,
        make: Callable[[], nn.Sequential] = model,
    ) -> None:
        torch.manual_seed(0)
        self.model = make()
        for parameter in self.model.parameters() if apply is not None else ():
            parameter.register_post_accumulate_grad_hook(apply)  # type: ignore[arg-type]
        self.optimizer = SGD(self.model.parameters(), lr=0.1)
        self.run = probe.attach(self.model, self.optimizer, server=False, every=1)

    def step(self, loss: Callable[[Tensor], Tensor] = torch.sum) -> dict[str, str]:
        """Make a step; return the states in it."""
        loss(self.model(torch.ones(2, 3))).backward()
        self.between()
        self.optimizer.step()
        return {row.name: row.state for row in self.run.parameters()}

    def between(self) -> None:
        """Happens between the backward and the step."""

    def norms(self) -> list[float]:
        sample = job_of(self.run).measurement.latest.sample
        assert sample is not None
        return [float(value) for value in sample.values[GRAD_NORM]]


@pytest.mark.parametrize(
    ("apply", "first"), [(counted, "unmeasured"), (uncounted, "absent")], ids=["counted", "not"]
)
def test_a_released_gradient_is_measured_as_it_comes(
    apply: Callable[[nn.Parameter], None], first: str
) -> None:
    """From the first step after it was known; that is at once where the write is counted."""
    loop = Loop(apply)
    assert set(loop.step().values()) == {first}
    loop.step()
    twin = copy.deepcopy(loop.model).double()
    assert set(loop.step().values()) == {"present"}
    twin(torch.ones(2, 3, dtype=torch.float64)).sum().backward()
    expected = [float(p.grad.norm()) for p in twin.parameters()]  # type: ignore[union-attr]
    assert loop.norms() == pytest.approx(expected, rel=1e-6)
    loop.run.detach()


def test_zeros_infinities_and_what_does_not_come_are_told() -> None:
    """As of any gradient, step by step."""
    loop = Loop(counted)
    loop.step()
    assert set(loop.step(lambda out: (out * 0).sum()).values()) == {"zero"}
    assert set(loop.step(lambda out: (out * torch.inf).sum()).values()) == {"nonfinite"}
    head = loop.model[1]
    head(torch.ones(2, 4)).sum().backward()
    loop.optimizer.step()
    states = {row.name: row.state for row in loop.run.parameters()}
    assert {states["0.weight"], states["0.bias"]} == {"absent"}
    loop.run.detach()


@pytest.mark.parametrize("apply", [counted, uncounted])
def test_what_the_script_applies_before_the_step_is_learnt_in_time(
    apply: Callable[[nn.Parameter], None],
) -> None:
    """Without a hook of its own that would tell sooner: absent at first, and present then.

    A few of the smallest are watched until the first step, and tell at once.
    """

    class Applying(Loop):
        def between(self) -> None:
            for parameter in self.model.parameters():
                apply(parameter)

    loop = Applying(None, lambda: nn.Sequential(*[nn.Linear(3, 3) for _ in range(9)]))
    assert "absent" in loop.step().values()
    assert [set(loop.step().values()) for _ in range(3)][-1] == {"present"}
    loop.run.detach()


@pytest.mark.parametrize("inside", [True, False])
def test_what_is_dropped_and_not_applied_is_absent(inside: bool) -> None:
    """By a hook, or by the script before the step."""

    def drop(parameter: nn.Parameter) -> None:
        parameter.grad = None

    class Clearing(Loop):
        def between(self) -> None:
            self.model.zero_grad()

    loop = Loop(drop) if inside else Clearing(None)
    for _ in range(4):
        assert set(loop.step().values()) == {"absent"}
    loop.run.detach()


def test_the_hooks_go_with_the_run() -> None:
    """Each parameter has one from the step on in which it was known."""
    loop = Loop(counted)
    for _ in range(3):
        loop.step()
    assert all(parameter._backward_hooks for parameter in loop.model.parameters())
    loop.run.detach()
    assert not any(parameter._backward_hooks for parameter in loop.model.parameters())


def lowered(parameter: nn.Parameter) -> None:
    with torch.no_grad():
        parameter -= 0.1 * parameter.grad  # type: ignore[operator]


def lowered_aside(parameter: nn.Parameter) -> None:
    parameter.data -= 0.1 * parameter.grad  # type: ignore[operator]


class ByHand:
    """A job that makes its steps itself, and tells of them once gradients are zeros again."""

    def __init__(self, apply: Callable[[nn.Parameter], None] | None) -> None:
        torch.manual_seed(0)
        self.model = model()
        self._apply = apply
        self.run = probe.attach(self.model, server=False, every=1)

    def step(self, scale: float = 1.0) -> set[str]:
        """Make a step; return the states in it."""
        (scale * self.model(torch.ones(2, 3))).sum().backward()
        self.norm = float(self.model[0].bias.grad.norm())  # type: ignore[union-attr, operator]
        for parameter in self.model.parameters():
            if self._apply is not None:
                self._apply(parameter)
            assert parameter.grad is not None
            parameter.grad.zero_()
        self.run.step()
        return {row.state for row in self.run.parameters()}


@pytest.mark.parametrize("apply", [lowered, lowered_aside])
def test_zeros_of_what_the_script_has_applied_are_no_zero_gradients(
    apply: Callable[[nn.Parameter], None],
) -> None:
    """Known once the weight was seen to move, they are measured as they come."""
    job = ByHand(apply)
    learnt = [job.step() for _ in range(2)]
    assert {"unmeasured"} in learnt
    assert job.step() == {"present"}
    row = next(row for row in job.run.parameters() if row.name == "0.bias")
    assert row.grad_norm == pytest.approx(job.norm)
    assert job.step(0.0) == {"zero"}


def test_zeros_that_nobody_has_applied_stay_zeros() -> None:
    """The weight has not moved, so something has spoilt its gradient."""
    job = ByHand(None)
    assert [job.step() for _ in range(5)] == [{"zero"}] * 5


def test_the_device_is_waited_for_in_a_few_samples_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where zeros are no sign of a step, and where a gradient stays until after the step."""
    asked: list[Tensor] = []
    original = Tensor.any
    monkeypatch.setattr(Tensor, "any", lambda grad: asked.append(grad) or original(grad))
    job = ByHand(None)
    for _ in range(ASKED + 5):
        job.step()
    assert len(asked) == ASKED * len(list(job.model.parameters()))


def test_what_is_looked_at_closely_is_taken_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradient is gone when the step ends."""
    told: list[Distributions] = []
    monkeypatch.setattr(Uplink, "send_distributions", lambda _, seen: told.append(seen))
    loop = Loop(counted)
    with loop.run as run:
        for _ in range(2):
            loop.step()
        job_of(run).measurement.focus.watch([0], 60.0)
        for _ in range(2):
            loop.step()
    ((found,),) = (seen.parameters for seen in told[:1])
    assert loop.model[0].weight.grad is None
    assert found.gradient is not None
    assert found.gradient.numel == 12
