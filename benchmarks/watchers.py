"""What watches the gradients during a timed block: nothing, the probe, wandb or TensorBoard.

Each is attached, sees every step, and is detached again, so that they can take turns on one model.
"""

from __future__ import annotations

import tempfile
from typing import Any

import wandb
from torch import nn
from torch.optim import Optimizer
from torch.utils.tensorboard import SummaryWriter

from gradgate import probe


class Bare:
    """Nothing watches: what the others are compared with."""

    label = "bare"

    def attach(self, model: nn.Module, optimizer: Optimizer) -> None:
        """Begin to watch."""

    def after_backward(self, step: int) -> None:
        """See the gradients of a step."""

    def after_step(self, step: int, loss: float) -> None:
        """Log the loss, as a training loop does."""

    def detach(self) -> None:
        """Leave the model as it was."""


class BareAgain(Bare):
    """The noise floor: bare against bare."""

    label = "bare again (noise)"


class Probe(Bare):
    """Gradgate's probe at `every=1`, connected to a server."""

    label = "gradgate, every=1"

    def __init__(self, server: str) -> None:
        self.server = server
        self.runs: dict[str, int] = {}

    def attach(self, model: nn.Module, optimizer: Optimizer) -> None:
        """Attach as the README says."""
        name = f"probe_cost {len(self.runs) + 1}"
        self.run: Any = probe.attach(model, optimizer, name=name, server=self.server, every=1)

    def after_step(self, step: int, loss: float) -> None:
        """Log the loss and remember the step."""
        self.run.log(loss=loss)
        self.runs[self.run.id] = step

    def detach(self) -> None:
        """Wait until all is stored, so that no sending runs into the next block."""
        if not self.run.flush(60):
            raise RuntimeError("the server did not store what the probe measured in 60 s")
        self.run.detach()


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
