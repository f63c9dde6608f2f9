"""Lightning's manual optimization, with two optimizers: a small GAN."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn

from .lightning_module import AfterSteps, Lightning


class Gan(LightningModule):
    """A generator and a discriminator that take turns."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator = nn.Sequential(
            nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 6)
        )
        self.discriminator = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        generating, discriminating = self.optimizers()
        loss = -self.discriminator(self.generator(batch)).mean()
        generating.zero_grad()
        self.manual_backward(loss)
        generating.step()
        loss = self.discriminator(self.generator(batch).detach()).mean()
        loss = loss - self.discriminator(batch).mean()
        discriminating.zero_grad()
        self.manual_backward(loss)
        discriminating.step()
        self.log("d_loss", loss)

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("val_loss", self.discriminator(batch).mean())

    def configure_optimizers(self) -> Any:
        return [
            torch.optim.AdamW(self.generator.parameters(), lr=0.01),
            torch.optim.AdamW(self.discriminator.parameters(), lr=0.01),
        ]


class AfterRounds(AfterSteps):
    """Calls a function after each round of both optimizers."""

    def step(self, trainer: Trainer) -> int:
        return super().step(trainer) // 2


class Manual(Lightning):
    """A GAN, of which a part of the generator is frozen."""

    frozen = "generator.0"
    gated = "generator.2"
    module = Gan
    after_steps = AfterRounds
    options = {}  # noqa: RUF012 - read only
    batches = 6

    def most_steps(self, steps: int) -> int:
        return 2 * steps


STACK = Manual()
