"""What the next step of an optimizer will do wrong, by its groups alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from gradgate import probe


def explained(model: nn.Module, optimizer: Optimizer) -> dict[str, str]:
    """What `explain` says of a healthy forward and backward."""
    found = probe.explain(model, lambda: model(torch.ones(4, 3)).sum().backward(), optimizer)
    return {name: why.cause for name, why in found.items()}


def test_a_rate_of_0_moves_nothing_unless_a_schedule_has_set_it() -> None:
    """A warm-up begins with 0."""
    model = nn.Linear(3, 2)
    groups = [{"params": [model.weight], "lr": 0.0}, {"params": [model.bias]}]
    optimizer = SGD(groups, lr=0.1)
    assert explained(model, optimizer) == {"weight": "not_moving"}
    optimizer = SGD(model.parameters(), lr=0.1)
    schedule = LambdaLR(optimizer, lambda step: step / 10)
    assert explained(model, optimizer) == {}
    del schedule


@pytest.mark.parametrize(
    ("make", "grad", "cause"),
    [
        (lambda p: SGD(p, lr=0.1), 1.0, "moved_without_gradient"),
        (lambda p: AdamW(p, lr=0.1), 0.0, "moved_without_gradient"),
        (lambda p: SGD(p, lr=0.1), 0.0, "frozen_by_script"),
        (lambda p: AdamW(p, lr=0.1), None, "frozen_by_script"),
        (lambda p: AdamW(p, lr=0.0), 1.0, "frozen_by_script"),
    ],
)
def test_a_frozen_parameter_that_the_next_step_moves_is_told(
    make: Callable[[Any], Optimizer], grad: float | None, cause: str
) -> None:
    """Only where it would; what is in its .grad is as it was afterwards."""
    model = nn.Linear(3, 2)
    optimizer = make(model.parameters())
    model.bias.requires_grad_(False)
    if grad is not None:
        model.bias.grad = torch.full((2,), grad)
    before, kept = model.bias.detach().clone(), model.bias.grad
    assert explained(model, optimizer)["bias"] == cause
    assert model.bias.grad is kept
    optimizer.step()
    moves = not torch.equal(model.bias.detach(), before)
    assert moves == (cause == "moved_without_gradient")
