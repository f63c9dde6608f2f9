"""Rows for what an optimizer does with gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Adam, AdamW, Optimizer

from .. import data, models
from ..row import Job, Row


def simple(model: nn.Module, optimizer: Optimizer) -> Job:
    """The loop of every tutorial."""

    def step(number: int) -> None:
        optimizer.zero_grad()
        data.loss(model, number).backward()
        optimizer.step()

    return Job(model, [optimizer], step)


def _with(make: Callable[..., Optimizer], **options: float | bool) -> Callable[[], Job]:
    def build() -> Job:
        torch.manual_seed(0)
        model = models.Plain()
        return simple(model, make(model.parameters(), lr=0.05, **options))

    return build


def _lbfgs() -> Job:
    torch.manual_seed(0)
    model = models.Twice()
    optimizer = LBFGS(model.parameters(), lr=0.1, max_iter=3, history_size=4)

    def step(number: int) -> None:
        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = data.loss(model, number)
            loss.backward()
            return loss

        optimizer.step(closure)

    return Job(model, [optimizer], step, closure=True)


def _in_backward() -> Job:
    """https://docs.pytorch.org/tutorials/intermediate/optimizer_step_in_backward_tutorial.html"""
    torch.manual_seed(0)
    model = models.Plain()
    optimizers = {p: AdamW([p], lr=0.05, foreach=False) for p in model.parameters()}

    def apply(parameter: Tensor) -> None:
        optimizers[parameter].step()  # type: ignore[index]
        optimizers[parameter].zero_grad()  # type: ignore[index]

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(apply)

    return Job(model, [*optimizers.values()], lambda n: data.loss(model, n).backward())


ROWS = (
    Row(
        "SGD, momentum and weight decay",
        _with(SGD, momentum=0.9, weight_decay=0.1),
        "encoder.0",
    ),
    Row("AdamW, for-loop", _with(AdamW, weight_decay=0.1, foreach=False), "encoder"),
    Row("AdamW, foreach", _with(AdamW, weight_decay=0.1, foreach=True), "encoder.4"),
    Row("AdamW, fused", _with(AdamW, weight_decay=0.1, fused=True), "*.bias"),
    Row("Adam, amsgrad", _with(Adam, amsgrad=True), "head"),
    Row("LBFGS with a closure", _lbfgs, "shared", refusal="trained by LBFGS"),
    Row("An optimizer per parameter, stepped inside backward", _in_backward, "encoder.0"),
)
