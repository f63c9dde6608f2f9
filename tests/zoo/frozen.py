"""Frozen by the script, and not meant any more; frozen by a command."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .case import Case, Job, classes, classifier, inputs, layers


class FineTuned(nn.Module):
    """A backbone that somebody froze, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Linear(6, 12)
        self.norm = nn.LayerNorm(12)
        self.head = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.norm(self.backbone(x))))  # type: ignore[no-any-return]


def warm_up_never_ended() -> Job:
    model = FineTuned()
    for parameter in model.backbone.parameters():
        parameter.requires_grad = False
    return classifier(model)


def wrong_prefix() -> Job:
    model = FineTuned()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(("head", "layer_norm")))
    trainable = [p for p in model.parameters() if p.requires_grad]
    x, y = inputs(), classes()
    optimizer = torch.optim.AdamW(trainable)

    def step() -> None:
        F.cross_entropy(model(x), y).backward()

    return Job(model, step, optimizer)


class LearnedScale(nn.Module):
    """Its scale was declared as a buffer would be."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 3)
        self.scale = nn.Parameter(torch.ones(3), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) * self.scale  # type: ignore[no-any-return]


def forgotten_requires_grad() -> Job:
    return classifier(LearnedScale())


class Thawing(FineTuned):
    """Freezes its backbone in the forward while it warms up; the counter never moves."""

    warm_up_steps = 100
    seen = 0

    def forward(self, x: Tensor) -> Tensor:
        if self.seen < self.warm_up_steps:
            self.backbone.requires_grad_(False)  # <- frozen_inside_forward
        return super().forward(x)


def frozen_inside_forward() -> Job:
    return classifier(Thawing())


def from_outside() -> Job:
    return classifier(FineTuned())


CASES = (
    Case("warm_up_never_ended", warm_up_never_ended, layers("frozen_by_script", "backbone")),
    Case("wrong_prefix", wrong_prefix, layers("frozen_by_script", "backbone", "norm")),
    Case("forgotten_requires_grad", forgotten_requires_grad, {"scale": "frozen_by_script"}),
    Case("frozen_inside_forward", frozen_inside_forward, layers("frozen_by_script", "backbone")),
    Case(
        "freeze_command",
        from_outside,
        layers("frozen_by_command", "backbone"),
        command=lambda run: run.freeze("backbone"),
    ),
    Case(
        "no_grad_freeze_command",
        from_outside,
        layers("frozen_by_command", "backbone"),
        command=lambda run: run.freeze("backbone", mode="no_grad"),
    ),
    Case(
        "freeze_command_with_a_glob",
        from_outside,
        dict.fromkeys(("backbone.bias", "norm.bias", "head.bias"), "frozen_by_command"),
        command=lambda run: run.freeze("*.bias"),
    ),
    Case(
        "both_froze",
        warm_up_never_ended,
        {**layers("frozen_by_script", "backbone"), **layers("frozen_by_command", "norm")},
        command=lambda run: run.freeze("norm"),
    ),
)
