"""Frozen by the script, and not meant any more; frozen by a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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


def thawed_after_the_forward() -> Job:
    """A callback that thaws the backbone for its epoch, once the loss is there already."""
    model = FineTuned()
    model.backbone.requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters())
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        for parameter in model.backbone.parameters():
            parameter.requires_grad = True  # <- thawed_after_the_forward
        loss.backward()

    return Job(model, step, optimizer)


@contextmanager
def untrained(module: nn.Module) -> Iterator[None]:
    """Switch a module off for a while."""
    module.requires_grad_(False)  # <- toggled_around_its_own_loss
    try:
        yield
    finally:
        module.requires_grad_(True)


def toggled_around_its_own_loss() -> Job:
    """The context manager stands around the wrong of two losses."""
    model = nn.ModuleDict({"actor": nn.Linear(6, 3), "critic": nn.Linear(6, 1)})
    optimizer = torch.optim.Adam(model.parameters())
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model["actor"](x), y).backward()
        with untrained(model["critic"]):
            loss = model["critic"](x).square().mean()
        (loss + model["actor"](x).mean()).backward()

    return Job(model, step, optimizer)


def switched_off_for_the_backward() -> Job:
    """Saves the encoder's gradient memory by switching it off when the graph is made already."""
    model = FineTuned()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        model.backbone.requires_grad_(False)  # <- switched_off_for_the_backward
        loss.backward()
        model.backbone.requires_grad_(True)

    return Job(model, step, optimizer)


def cut_out_in_place() -> Job:
    """``detach_()`` on the weights themselves, where the output was meant."""
    model = FineTuned()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def step() -> None:
        optimizer.zero_grad()
        for parameter in model.backbone.parameters():
            parameter.detach_()  # <- cut_out_in_place
        F.cross_entropy(model(x), y).backward()

    return Job(model, step, optimizer)


def from_outside() -> Job:
    return classifier(FineTuned())


CASES = (
    Case("warm_up_never_ended", warm_up_never_ended, layers("frozen_by_script", "backbone")),
    Case("wrong_prefix", wrong_prefix, layers("frozen_by_script", "backbone", "norm")),
    Case("forgotten_requires_grad", forgotten_requires_grad, {"scale": "frozen_by_script"}),
    Case("frozen_inside_forward", frozen_inside_forward, layers("frozen_by_script", "backbone")),
    Case(
        "thawed_after_the_forward",
        thawed_after_the_forward,
        layers("frozen_by_script", "backbone"),
    ),
    Case(
        "toggled_around_its_own_loss",
        toggled_around_its_own_loss,
        layers("frozen_by_script", "critic"),
    ),
    Case(
        "switched_off_for_the_backward",
        switched_off_for_the_backward,
        layers("frozen_by_script", "backbone"),
    ),
    Case("cut_out_in_place", cut_out_in_place, layers("frozen_by_script", "backbone")),
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
