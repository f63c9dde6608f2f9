"""What every stack has in common: it trains a tiny model, and tells after each step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gradgate.probe import Run

AfterStep = Callable[[int, nn.Module, Run | None], bool]
"""Called with a step that has ended, the model and the run, if any; True ends the training."""


@dataclass(frozen=True)
class Trained:
    """What a training has made."""

    model: nn.Module
    optimizers: Sequence[torch.optim.Optimizer]

    def bits(self) -> dict[str, bytes]:
        """Return every parameter, buffer and optimizer state, byte for byte."""
        found = {name: _bytes(value) for name, value in self.model.state_dict().items()}
        names = {parameter: name for name, parameter in self.model.named_parameters()}
        for number, optimizer in enumerate(self.optimizers):
            for parameter, state in optimizer.state.items():
                for key, value in state.items():
                    found[f"{number} {names[parameter]} {key}"] = _bytes(torch.as_tensor(value))
        return found


class Stack(ABC):
    """A library, with a model that it trains."""

    frozen: str
    """The module that is frozen, and asked about."""
    gated: str
    """The module at whose output a gate is."""

    @abstractmethod
    def train(
        self,
        steps: int,
        after_step: AfterStep,
        options: Mapping[str, Any] | None,
        *,
        folder: Path,
        save_at: int | None = None,
        resume: bool = False,
    ) -> Trained:
        """Train up to ``steps`` from one and the same beginning, with Gradgate if it has options.

        ``save_at``: after this step a checkpoint is written into ``folder``, by the library's own
        means; with ``resume`` training goes on from it.
        """


def _bytes(value: torch.Tensor) -> bytes:
    return value.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
