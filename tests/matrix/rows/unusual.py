"""Rows for modules and optimizers of people's own, and for what few models are made of."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.optim import AdamW

from .. import data, models, unusual
from ..models import HIDDEN
from ..row import Job, Row
from .optimizers import simple


def _with_adamw(make: type[nn.Module]) -> Callable[[], Job]:
    def build() -> Job:
        torch.manual_seed(0)
        model = make()
        return simple(model, AdamW(model.parameters(), lr=0.05))

    return build


def _adapted() -> Job:
    torch.manual_seed(0)
    model = unusual.Adapted()
    return simple(model, AdamW((p for p in model.parameters() if p.requires_grad), lr=0.05))


def _dict_of_models() -> Job:
    torch.manual_seed(0)
    encoder, head = nn.Linear(data.FEATURES, HIDDEN), nn.Linear(HIDDEN, data.CLASSES)
    both = nn.Sequential(encoder, nn.Tanh(), head)
    job = simple(both, AdamW(both.parameters(), lr=0.05))
    job.model = {"encoder": encoder, "head": head}
    return job


def _lazy() -> Job:
    torch.manual_seed(0)
    model = unusual.Lazy()
    model(data.inputs(0))
    return simple(model, AdamW(model.parameters(), lr=0.05))


def _momentum_8bit() -> Job:
    torch.manual_seed(0)
    model = models.Plain()
    return simple(model, unusual.Momentum8Bit(model.parameters(), lr=0.05))


ROWS = (
    Row("A dict of models with one optimizer", _dict_of_models, "encoder"),
    Row("ParameterDict, ParameterList, ModuleDict", _with_adamw(unusual.Containers), "maps.in"),
    Row("Lazy modules", _lazy, "encoder"),
    Row(
        "Parametrizations (weight, spectral and orthogonal norm)",
        _with_adamw(unusual.Parametrized),
        "encoder",
    ),
    Row(
        "Quantization-aware training, fake quantization",
        _with_adamw(unusual.QuantizationAware),
        "encoder",
    ),
    Row("An optimizer with 8-bit states", _momentum_8bit, "encoder"),
    Row(
        "Adapters beside a base in tensors of its own kind (8 bits)",
        _adapted,
        "up",
        untrained=frozenset({"base.weight"}),
    ),
    Row("Complex parameters", _with_adamw(unusual.Complex), "encoder"),
    Row("Modules and outputs that are dataclasses", _with_adamw(unusual.Dataclasses), "encoder"),
)
