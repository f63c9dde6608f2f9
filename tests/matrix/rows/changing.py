"""Rows for what a script changes while it is watched."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW

from .. import models
from ..row import Job, Row
from .optimizers import simple

GROWS_AT = 3
"""The step in which parameters are added: after ``attach``, before the freeze."""
SAVED_AFTER, LOADED_BEFORE = 10, 15
"""The steps around a return to a checkpoint, within the time of the freeze."""


class _Growth:
    """What may be added to a growing model."""

    @staticmethod
    def layer(model: models.Growing) -> list[nn.Parameter]:
        model.extra = nn.Linear(models.HIDDEN, models.HIDDEN)
        return list(model.extra.parameters())

    @staticmethod
    def adapters(model: models.Growing) -> list[nn.Parameter]:
        assert isinstance(model.encoder, models.Adapted)
        model.encoder.requires_grad_(False)
        return [*model.encoder.adapt(), *model.head.adapt()]

    @staticmethod
    def wrapper(model: models.Growing) -> list[nn.Parameter]:
        assert isinstance(model.encoder, nn.Linear)
        adapter = models.Adapter(model.encoder)
        model.encoder = adapter
        return [*adapter.down.parameters(), *adapter.up.parameters()]


def _growing(what: str) -> Job:
    torch.manual_seed(0)
    model = models.Growing()
    optimizer = AdamW(model.parameters(), lr=0.05)
    job = simple(model, optimizer)
    plain = job.step

    def step(number: int) -> None:
        if number == GROWS_AT:
            optimizer.add_param_group({"params": getattr(_Growth, what)(model)})
        plain(number)

    job.step = step
    return job


def _unfreezing() -> Job:
    """A backbone that no optimizer holds until its own group is added."""
    torch.manual_seed(0)
    model = models.Plain()
    optimizer = AdamW(model.head.parameters(), lr=0.05)
    job = simple(model, optimizer)
    plain = job.step

    def step(number: int) -> None:
        if number == GROWS_AT:
            optimizer.add_param_group({"params": list(model.encoder.parameters()), "lr": 0.01})
        model.encoder.zero_grad()
        plain(number)

    job.step = step
    return job


def _loading() -> Job:
    torch.manual_seed(0)
    model = models.Normalised()
    optimizer = AdamW(model.parameters(), lr=0.05)
    job = simple(model, optimizer)
    plain = job.step
    saved: list[dict[str, Any]] = []

    def step(number: int) -> None:
        if number == LOADED_BEFORE:
            for part, state in zip((model, optimizer), saved, strict=True):
                part.load_state_dict(state)
        plain(number)
        if number == SAVED_AFTER:
            saved.extend(copy.deepcopy(part.state_dict()) for part in (model, optimizer))

    job.step = step
    return job


ROWS = (
    Row("A layer added after attach", lambda: _growing("layer"), "extra"),
    Row("LoRA adapters added after attach", lambda: _growing("adapters"), "*.lora_?"),
    Row("A layer wrapped by an adapter after attach", lambda: _growing("wrapper"), "encoder"),
    Row("A parameter group added later", _unfreezing, "encoder"),
    Row("load_state_dict in mid-run", _loading, "encoder"),
)
