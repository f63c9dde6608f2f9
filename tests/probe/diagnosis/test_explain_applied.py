"""Gradients that the closure applies itself, and that are gone when it ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradgate import probe

X = torch.ones(3, 4)


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the probe's own errors fail the test."""
    monkeypatch.setenv("GRADGATE_STRICT", "1")


def loss_of(model: nn.Module) -> Tensor:
    return model(X).square().mean()  # type: ignore[no-any-return]


def optimizer_in_backward(model: nn.Module) -> Callable[[], None]:
    """Each parameter is stepped as soon as it has its gradient."""
    optimizers = {p: torch.optim.AdamW([p]) for p in model.parameters()}

    def apply(parameter: Tensor) -> None:
        optimizers[parameter].step()
        optimizers[parameter].zero_grad()

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(apply)
    return lambda: loss_of(model).backward()


def whole_step(model: nn.Module) -> Callable[[], None]:
    """It ends with ``zero_grad``."""
    optimizer = torch.optim.AdamW(model.parameters())

    def step() -> None:
        loss_of(model).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def by_hand(model: nn.Module) -> Callable[[], None]:
    """``autograd.grad``, and no optimizer."""

    def step() -> None:
        parameters = list(model.parameters())
        found = torch.autograd.grad(loss_of(model), parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters[:2], found, strict=False):
                parameter -= 0.1 * gradient
        for parameter, gradient in zip(parameters[2:], found[2:], strict=True):
            parameter.data.sub_(0.1 * gradient)

    return step


def whole_step_in_place(model: nn.Module) -> Callable[[], None]:
    """It leaves zeros behind."""
    optimizer = torch.optim.AdamW(model.parameters())

    def step() -> None:
        loss_of(model).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)

    return step


def by_hand_in_backward(model: nn.Module) -> Callable[[], None]:
    """A hook does it, past PyTorch's count of writes; one gradient is zeros then, the others go."""
    first = next(model.parameters())

    def apply(parameter: Tensor) -> None:
        assert parameter.grad is not None
        parameter.data.sub_(parameter.grad, alpha=0.1)
        parameter.grad = torch.zeros_like(parameter) if parameter is first else None

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(apply)
    return lambda: loss_of(model).backward()


@pytest.mark.parametrize(
    "kind",
    [optimizer_in_backward, by_hand_in_backward, whole_step, whole_step_in_place, by_hand],
)
def test_what_was_applied_is_well(kind: Callable[[nn.Module], Callable[[], None]]) -> None:
    """Nothing is said of a parameter whose gradient was used before it went."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
    assert probe.explain(model, kind(model)) == {}


@pytest.mark.parametrize("kind", [optimizer_in_backward, whole_step, whole_step_in_place])
def test_zeros_that_were_applied_are_zeros(
    kind: Callable[[nn.Module], Callable[[], None]],
) -> None:
    """Weight decay changes the weights all the same."""
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    nn.init.constant_(model[0].bias, -100.0)
    found = probe.explain(model, kind(model))
    assert {name: each.cause for name, each in found.items()} == {
        "0.weight": "zero_gradient",
        "0.bias": "zero_gradient",
        "2.weight": "zero_gradient",
    }
