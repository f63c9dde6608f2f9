"""A Learner of fastai, with its own optimizer, which is none of torch's."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.callback.training import GradientClip
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.learner import Learner
from fastai.optimizer import Adam
from torch import Tensor, nn

from gradgate.probe.integrations.fastai import GradgateCallback

from .stack import AfterStep, Stack, Trained

BATCHES = 6
"""In an epoch."""


class AfterSteps(Callback):
    """Calls a function after each step."""

    order = 101

    def __init__(
        self, after_step: AfterStep, watching: GradgateCallback | None, saving: Path | None
    ) -> None:
        super().__init__()
        self.after, self.watching, self.saving, self.step = after_step, watching, saving, 0

    def after_batch(self) -> None:
        if not self.learn.training:
            return
        self.step += 1
        run = self.watching.gradgate_run if self.watching else None
        if self.after(self.step, self.learn.model, run):
            raise CancelFitException
        if self.saving and self.step == BATCHES:
            state = {
                "model": self.learn.model.state_dict(),
                "optimizer": self.learn.opt.state_dict(),
                "gradgate": self.watching.state_dict() if self.watching else {},
            }
            torch.save(state, self.saving / "last.pt")


class Fastai(Stack):
    """A few layers, with clipping, and a validation after each epoch."""

    frozen = "0"
    gated = "2"

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
        torch.manual_seed(1)
        model = nn.Sequential(
            nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3)
        )
        data = torch.randn(4 * BATCHES, 9, generator=torch.Generator().manual_seed(2))
        pairs = [(row[:6], row[6:]) for row in data]
        loaders = DataLoaders(*(DataLoader(pairs, bs=4, num_workers=0) for _ in range(2)))
        watching = None if options is None else GradgateCallback(**options)
        saving = folder if save_at is not None and not resume else None
        after = AfterSteps(after_step, watching, saving)
        learner = Learner(
            loaders,
            model,
            loss_func=squared_error,
            opt_func=self.optimizer,
            path=folder,
            cbs=[GradientClip(0.5), after, *([watching] if watching else [])],
        )
        if resume:
            state = torch.load(folder / "last.pt", weights_only=False)
            learner.create_opt()
            model.load_state_dict(state["model"])
            learner.opt.load_state_dict(state["optimizer"])
            after.step = BATCHES
            if watching is not None:
                watching.load_state_dict(state["gradgate"])
        with watching or nullcontext(), learner.no_bar(), learner.no_logging():
            learner.fit((steps - after.step) // BATCHES, lr=0.01, wd=0.1)
        return Trained(model, [self.inner(learner)])

    def optimizer(self, parameters: Any, **more: Any) -> Any:
        """Make the optimizer."""
        return Adam(parameters, **more)

    def inner(self, learner: Learner) -> Any:
        """Return what holds the optimizer's state."""
        return learner.opt


def squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared error."""
    return (prediction - target).square().mean()


STACK = Fastai()
