"""A bug of a gallery as a training job, beside the same job without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer


@dataclass
class Job:
    """A training job: what a tool may be given, and one iteration of its loop."""

    model: nn.Module
    optimizer: Optimizer
    batch: tuple[Tensor, Tensor]
    """Inputs and targets of one batch."""
    criterion: Callable[[Any, Tensor], Tensor] = F.mse_loss
    iterate: Callable[[], None] | None = None
    """One iteration of the loop; by default zero_grad, loss, backward and step."""
    objective: Callable[[], Tensor] | None = None
    """The loss of one batch; by default the criterion of what the model returns."""
    frozen: Sequence[str] = ()
    """Modules and parameters that the author means to be still."""
    frozen_stats: Sequence[str] = ()
    """Modules whose running statistics the author means to be still."""
    share: tuple[float, float] | None = None
    """The share of all numbers that the author means to train."""
    trains: Sequence[str] = ("*",)
    """Parameters that the author means to train."""

    def loss(self) -> Tensor:
        """Compute the loss of one batch."""
        if self.objective is not None:
            return self.objective()
        return self.criterion(self.model(self.batch[0]), self.batch[1])

    def run(self) -> None:
        """Make one iteration of the loop."""
        if self.iterate is not None:
            self.iterate()
            return
        self.optimizer.zero_grad()
        self.loss().backward()
        self.optimizer.step()


@dataclass(frozen=True)
class Bug:
    """A bug of a gallery: how to build its job, with or without it."""

    name: str
    words: str
    """The bug in a few words, for the table."""
    build: Callable[[bool], Job]
    """Called with True for the job that has the bug, False for the one that has not."""
    has_line: bool = True
    """There is a line of the job's code to name: it ends in ``# <- name``."""
    by_explain: bool = True
    """It shows in one forward and backward, so ``explain`` can be asked."""


@dataclass
class Answer:
    """What a tool said of a job."""

    findings: frozenset[str] = frozenset()
    """What it warned of or failed, in its own words for the kind."""
    places: frozenset[str] = frozenset()
    """The lines that it named."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """The sentences, by finding."""


def data(rows: int = 32, inputs: int = 8, outputs: int = 4) -> tuple[Tensor, Tensor]:
    """Make one batch of a regression task."""
    return torch.randn(rows, inputs), torch.randn(rows, outputs)


def network(*, width: int = 16) -> nn.Sequential:
    """Make a small network."""
    return nn.Sequential(nn.Linear(8, width), nn.Tanh(), nn.Linear(width, 4))
