"""The probe's peers, which want the packages of requirements.txt."""

from __future__ import annotations

import tempfile

import wandb
from torch import nn
from torch.optim import Optimizer
from torch.utils.tensorboard import SummaryWriter
from watchers import Bare


class Wandb(Bare):
    """`wandb.watch` with a gradient histogram at every step, in offline mode."""

    label = 'wandb.watch(log="gradients", log_freq=1)'

    def __init__(self) -> None:
        folder = tempfile.mkdtemp(prefix="wandb-")
        settings = wandb.Settings(silent=True)
        self.run = wandb.init(mode="offline", dir=folder, project="probe_cost", settings=settings)

    def attach(self, model: nn.Module, optimizer: Optimizer) -> None:
        """Hook every parameter."""
        self.model = model
        self.run.watch(model, log="gradients", log_freq=1)

    def after_step(self, step: int, loss: float) -> None:
        """Log the loss, which also commits the histograms."""
        self.run.log({"loss": loss})

    def detach(self) -> None:
        """Remove the hooks."""
        self.run.unwatch(self.model)


class TensorBoard(Bare):
    """A histogram of every gradient at every step."""

    label = "TensorBoard histograms"

    def __init__(self) -> None:
        self.writer = SummaryWriter(tempfile.mkdtemp(prefix="tensorboard-"))

    def attach(self, model: nn.Module, optimizer: Optimizer) -> None:
        """Remember the parameters."""
        self.parameters = list(model.named_parameters())

    def after_backward(self, step: int) -> None:
        """Write the histograms."""
        for name, parameter in self.parameters:
            if parameter.grad is not None:
                self.writer.add_histogram(name, parameter.grad, step)

    def after_step(self, step: int, loss: float) -> None:
        """Write the loss."""
        self.writer.add_scalar("loss", loss, step)

    def detach(self) -> None:
        """Write out what is queued."""
        self.writer.flush()
