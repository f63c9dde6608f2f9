"""A small model to steer, how to train it, and what the run reports of its commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from gradgate import probe
from gradgate.probe.session.run import job_of
from tests.support.zoo import Plain, loss_of


class Chain(nn.Module):
    """A stem, a body with a normalisation, and a head, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(6, 16)
        self.body = nn.Sequential(nn.Linear(16, 16), nn.BatchNorm1d(16), nn.Tanh())
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(torch.tanh(self.stem(x))))  # type: ignore[no-any-return]


def chain(make: Callable[..., Optimizer] = AdamW) -> tuple[Chain, Optimizer]:
    torch.manual_seed(0)
    model = Chain()
    return model, make(model.parameters(), lr=0.05)


def steps(model: nn.Module, optimizer: Optimizer, first: int, last: int) -> None:
    for step in range(first, last + 1):
        optimizer.zero_grad()
        loss_of(model, step).backward()
        optimizer.step()


def plain() -> tuple[Any, Optimizer]:
    """The plain model of the zoo, and an optimizer that moves it far."""
    torch.manual_seed(0)
    model = Plain()
    return model, SGD(model.parameters(), lr=0.1)


def one_step(model: nn.Module, optimizer: Optimizer) -> None:
    steps(model, optimizer, 1, 1)


def scaled_step(
    model: nn.Module, optimizer: Optimizer, scaler: torch.amp.GradScaler, factor: float = 1.0
) -> None:
    """Make a step under a ``GradScaler``; with an infinite factor it overflows and is skipped."""
    optimizer.zero_grad()
    scaler.scale(loss_of(model, 1) * factor).backward()
    scaler.step(optimizer)
    scaler.update()


def states(run: probe.Run) -> list[str]:
    """The state of every parameter as of the latest sample, in model order."""
    return [info.state for info in run.parameters()]


def reports_of(run: Any) -> list[Any]:
    reports: list[Any] = []
    job_of(run).reports.add_listener(reports.append)
    return reports


def told(reports: list[Any], local: int) -> list[str]:
    return [report.state.value for report in reports if report.command.local == local]


def hook_counts(model: nn.Module) -> list[tuple[int, int, int]]:
    return [
        (len(m._forward_hooks), len(m._forward_pre_hooks), len(m._load_state_dict_post_hooks))
        for m in model.modules()
    ]


def run_command(kind: str, target: str, **options: Any) -> Any:
    from gradgate.probe.model.commands import read_command

    asked = {"kind": kind, "target": target, "by": "browser", "id": 7}
    return read_command({**asked, **options})


def deep() -> tuple[nn.Sequential, Optimizer]:
    """Ten layers below, one above."""
    torch.manual_seed(0)
    below = nn.Sequential(*(nn.Linear(256, 256) for _ in range(10)))
    model = nn.Sequential(below, nn.Linear(256, 3))
    return model, SGD(model.parameters(), lr=1e-4)


def train_on(model: nn.Module, optimizer: Optimizer, inputs: Tensor, count: int) -> None:
    for _ in range(count):
        optimizer.zero_grad()
        model(inputs).square().mean().backward()
        optimizer.step()
