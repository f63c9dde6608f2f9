"""Rows for what a model is made of."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, SparseAdam

from .. import data, models
from ..row import Job, Row
from .optimizers import simple


def _tied() -> Job:
    torch.manual_seed(0)
    model = models.Tied()
    optimizer = AdamW(model.parameters(), lr=0.05)

    def step(number: int) -> None:
        words = data.words(number)
        optimizer.zero_grad()
        logits = model(words[:, :-1]).flatten(0, 1)
        nn.functional.cross_entropy(logits, words[:, 1:].flatten()).backward()
        optimizer.step()

    return Job(model, [optimizer], step)


def _sparse(model: models.Sparse, optimizers: list[torch.optim.Optimizer]) -> Job:
    def step(number: int) -> None:
        for optimizer in optimizers:
            optimizer.zero_grad()
        logits = model(data.words(number))
        nn.functional.cross_entropy(logits, data.labels(number)).backward()
        for optimizer in optimizers:
            optimizer.step()

    return Job(model, optimizers, step)


def _sparse_adam() -> Job:
    torch.manual_seed(0)
    model = models.Sparse()
    of_embedding = SparseAdam(list(model.embedding.parameters()), lr=0.05)
    return _sparse(model, [of_embedding, Adam(model.head.parameters(), lr=0.05)])


def _sparse_sgd() -> Job:
    torch.manual_seed(0)
    model = models.Sparse()
    return _sparse(model, [SGD(model.parameters(), lr=0.1)])


def _with_adamw(make: type[nn.Module], **options: bool) -> Job:
    torch.manual_seed(0)
    model = make(**options)
    return simple(model, AdamW(model.parameters(), lr=0.05))


# With everything frozen torch says so, as it does when that was done by hand.
_NOTHING_TO_TRAIN = pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad=True")


def _frozen_by_the_script() -> Job:
    torch.manual_seed(0)
    model = models.Plain()
    model.encoder.requires_grad_(False)
    return simple(model, AdamW(model.parameters(), lr=0.05))


ROWS = (
    Row("A part frozen by the script", _frozen_by_the_script, "encoder", thaws_first=True),
    Row("Tied embeddings", _tied, "output"),
    Row("Sparse embeddings, SparseAdam", _sparse_adam, "embedding"),
    Row("Sparse embeddings, SGD", _sparse_sgd, "embedding"),
    Row("LSTM", lambda: _with_adamw(models.Recurrent), "lstm"),
    Row("LSTM, some weights frozen", lambda: _with_adamw(models.Recurrent), "lstm.weight_hh_l?"),
    Row("A module called twice in one forward", lambda: _with_adamw(models.Twice), "shared"),
    Row("BatchNorm in train mode", lambda: _with_adamw(models.Normalised), "encoder"),
    Row(
        "Activation checkpointing, non-reentrant",
        lambda: _with_adamw(models.Checkpointed, reentrant=False),
        "blocks.1",
    ),
    Row(
        "Activation checkpointing, reentrant",
        lambda: _with_adamw(models.Checkpointed, reentrant=True),
        "blocks.1",
        marks=(_NOTHING_TO_TRAIN,),
    ),
)
