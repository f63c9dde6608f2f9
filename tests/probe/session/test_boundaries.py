"""Optimizers that step in unusual ways, and where a step ends."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradgate import probe
from gradgate.probe.session.run import job_of
from tests.support import zoo
from tests.support.steered import one_step, plain, scaled_step, states


# Dynamo warns about its own use of deprecated and odd parts of torch.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
def test_a_compiled_optimizer_step_is_watched() -> None:
    """torch.compile(optimizer.step) neither traces the probe nor loses a step."""
    torch._dynamo.reset()
    model, optimizer = plain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        step = torch.compile(optimizer.step, backend="eager")
        for _ in range(3):
            optimizer.zero_grad()
            zoo.loss_of(model, 1).backward()
            step()
        assert (job_of(run).state.step, job_of(run).guard.faults) == (3, 0)


@pytest.mark.parametrize("per_generator", [2, 3])
def test_of_two_optimizers_one_stepping_more_often_both_are_told_right(per_generator: int) -> None:
    """In a WGAN's loop the critic's gradients are present in each of its steps, never stale."""
    models = {"d": nn.Linear(2, 1), "g": nn.Linear(2, 2)}
    optimizers = {key: torch.optim.SGD(m.parameters(), lr=0.01) for key, m in models.items()}
    seen = set()
    with probe.attach(models, [*optimizers.values()], server=False, every=1) as run:
        for _ in range(4):
            for _ in range(per_generator):
                optimizers["d"].zero_grad()
                models["d"](models["g"](torch.randn(4, 2)).detach()).mean().backward()
                optimizers["d"].step()
                seen.add(states(run)[0])
            optimizers["g"].zero_grad()
            models["d"](models["g"](torch.randn(4, 2))).mean().backward()
            optimizers["g"].step()
            assert states(run) == ["present"] * 4
        assert job_of(run).state.step == 4 * per_generator
    assert seen <= {"present", "unmeasured"}


def test_an_optimizer_whose_step_calls_its_base_counts_once() -> None:
    """A subclass with super().step() makes one step per step, and its gradients are new."""
    torch.optim.Adam([nn.Parameter(torch.ones(1))])

    class Mine(torch.optim.Adam):
        def step(self, closure: Any = None) -> Any:
            return super().step(closure)

    model = zoo.Plain()
    optimizer = Mine(model.parameters())
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for _ in range(3):
            one_step(model, optimizer)
        assert job_of(run).state.step == 3
        assert set(states(run)) == {"present"}


def test_a_step_that_raised_leaves_no_trace_in_the_next_sample() -> None:
    """After an exception inside step() the next sample holds the next step's own figures."""
    model, optimizer = plain()
    fail = [True]

    def check(*_: object) -> None:
        if fail.pop() if fail else False:
            raise ValueError("the script's own check")

    with probe.attach(model, optimizer, server=False, every=1) as run:
        optimizer.register_step_pre_hook(check)
        optimizer.zero_grad()
        (zoo.loss_of(model, 1) * 1000).backward()
        with pytest.raises(ValueError, match="own check"):
            optimizer.step()
        one_step(model, optimizer)
        expected = float(model.head.weight.grad.norm())
        assert job_of(run).state.step == 1
        assert run.parameters()[-2].grad_norm == pytest.approx(expected, rel=1e-6)


def test_lbfgs_with_a_nan_counts_its_own_steps_only() -> None:
    """zero_grad inside a closure drops nothing that counts, so no step is called skipped."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = model(torch.ones(1, 2)).sum() * torch.nan
        loss.backward()
        return loss

    with probe.attach(model, optimizer, server=False, every=1) as run:
        for _ in range(3):
            optimizer.step(closure)
        assert job_of(run).state.step == 3
        with pytest.raises(probe.CommandError, match="trained by LBFGS"):
            run.freeze("weight")


def test_a_wrapped_optimizer_is_seen_through() -> None:
    """A wrapper that holds the real optimizer, as Accelerate's does, is watched at the real one."""

    class Wrapper(torch.optim.Optimizer):
        def __init__(self, optimizer: torch.optim.Optimizer) -> None:
            self.optimizer = optimizer

        def step(self, closure: Any = None) -> Any:
            return self.optimizer.step(closure)

    class Hollow(torch.optim.Optimizer):
        def __init__(self) -> None:
            pass

    model, optimizer = plain()
    with probe.attach(model, Wrapper(optimizer), server=False, every=1) as run:
        one_step(model, optimizer)
        assert job_of(run).state.step == 1
    with pytest.raises(probe.AttachError, match=r"never called Optimizer.__init__"):
        probe.attach(model, Hollow(), server=False)
    assert not any(p._post_accumulate_grad_hooks for p in model.parameters())


def test_a_gans_generator_that_overflows_once_is_one_skipped_step() -> None:
    """The round of an overflow is one step, flagged as skipped, and the next is a new one."""
    models = {"d": zoo.Plain(), "g": zoo.Plain()}
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.01) for m in models.values()]
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    with probe.attach(models, optimizers, server=False, every=1) as run:
        for iteration in range(5):
            for key, optimizer in zip(models, optimizers, strict=True):
                overflow = key == "g" and iteration == 2
                scaled_step(models[key], optimizer, scaler, torch.inf if overflow else 1.0)
        assert job_of(run).state.step == 5


def test_another_wrapper_of_zero_grad_stays() -> None:
    """detach removes its own wrapper only, and ours below another one does nothing more."""
    model, optimizer = plain()
    run = probe.attach(model, optimizer, server=False, every=1)
    inner: Any = optimizer.zero_grad
    calls = []

    def theirs() -> None:
        calls.append(1)
        inner()

    optimizer.zero_grad = theirs  # type: ignore[method-assign]
    run.detach()
    assert optimizer.zero_grad is theirs
    one_step(model, optimizer)
    assert calls == [1]
