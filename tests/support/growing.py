"""Models that grow, shrink and rename their parameters while they train."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from gradgate import probe
from tests.support import zoo


class LoRA(nn.Module):
    """A frozen linear layer with a trainable adapter of low rank beside it."""

    def __init__(self, base: nn.Linear, rank: int = 2) -> None:
        super().__init__()
        self.base_layer = base
        self.lora_A = nn.Linear(base.in_features, rank, bias=False)
        self.lora_B = nn.Linear(rank, base.out_features, bias=False)
        nn.init.normal_(self.lora_B.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.base_layer(x) + self.lora_B(self.lora_A(x))  # type: ignore[no-any-return]


def plain() -> zoo.Plain:
    torch.manual_seed(0)
    return zoo.Plain()


def adam(model: nn.Module) -> torch.optim.AdamW:
    return torch.optim.AdamW(model.parameters(), lr=0.01)


def train(model: nn.Module, *optimizers: torch.optim.Optimizer, step: int = 1) -> dict[str, Tensor]:
    """One step; the gradients that were applied, by name."""
    for optimizer in optimizers:
        optimizer.zero_grad()
    zoo.loss_of(model, step).backward()
    applied = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    for optimizer in optimizers:
        optimizer.step()
    return applied


def by_name(run: probe.Run) -> dict[str, probe.ParameterInfo]:
    return {info.name: info for info in run.parameters()}


def assert_measured(run: probe.Run, applied: dict[str, Tensor]) -> None:
    """The latest sample has exactly these gradients' norms."""
    rows = {name: row for name, row in by_name(run).items() if not row.removed}
    measured = {name: row.grad_norm for name, row in rows.items() if row.state == "present"}
    expected = {name: grad.norm().item() for name, grad in applied.items() if bool(grad.any())}
    assert measured == pytest.approx(expected, rel=1e-5)


def add_adapter(model: Any, optimizer: torch.optim.Optimizer) -> None:
    """Freeze the head as LoRA does and train an adapter instead."""
    model.head.requires_grad_(False)
    model.head = LoRA(model.head)
    optimizer.add_param_group({"params": [p for p in model.head.parameters() if p.requires_grad]})


class Frugal(torch.optim.SGD):
    """Frees the gradients that it has used, so that they can be measured before only."""

    def step(self, closure: Any = None) -> None:
        super().step(closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None


def global_hooks() -> tuple[int, int]:
    return (
        len(torch_module._global_parameter_registration_hooks),
        len(torch_module._global_module_registration_hooks),
    )
