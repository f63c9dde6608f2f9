"""Lightning's manual optimization, with optimizers that are toggled: a small GAN."""

from __future__ import annotations

from torch import Tensor

from .lightning_manual import Gan, Manual


class ToggledGan(Gan):
    """Lets what the other optimizer has require no gradient in each backward, and does so again."""

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        generating, discriminating = self.optimizers()
        self.toggle_optimizer(generating)
        loss = -self.discriminator(self.generator(batch)).mean()
        generating.zero_grad()
        self.manual_backward(loss)
        generating.step()
        self.untoggle_optimizer(generating)
        self.toggle_optimizer(discriminating)
        loss = self.discriminator(self.generator(batch)).mean()
        loss = loss - self.discriminator(batch).mean()
        discriminating.zero_grad()
        self.manual_backward(loss)
        discriminating.step()
        self.untoggle_optimizer(discriminating)
        self.log("d_loss", loss)


class Toggled(Manual):
    """The GAN, toggled."""

    module = ToggledGan


STACK = Toggled()
