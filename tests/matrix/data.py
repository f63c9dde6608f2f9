"""The data that every row trains on, and its loss."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

FEATURES, CLASSES, BATCH = 6, 3, 8
WORDS = 12


def inputs(step: int) -> Tensor:
    """The inputs of a step, [8, 6]: the same in every run, whatever else draws random numbers."""
    return _drawn(torch.randn, BATCH, FEATURES, step=step)


def labels(step: int) -> Tensor:
    """The labels of a step, [8]: a rule on the inputs that a small model can learn."""
    x = inputs(step)
    return (x[:, 0] > x[:, 1]).long() + (x[:, 2] > x[:, 3]).long()


def words(step: int) -> Tensor:
    """Numbers of words, [8, 3], some of them twice."""
    return _drawn(torch.randint, WORDS, (BATCH, 3), step=step)


def loss(model: nn.Module, step: int) -> Tensor:
    """Cross entropy on the data of a step."""
    return nn.functional.cross_entropy(model(inputs(step)), labels(step))


def _drawn(draw: Callable[..., Tensor], *args: object, step: int) -> Tensor:
    """Draw on the CPU, and so the same numbers on every device; return them on the default one."""
    generator = torch.Generator("cpu").manual_seed(step)
    drawn = draw(*args, generator=generator, device="cpu")
    return drawn.to(torch.get_default_device())
