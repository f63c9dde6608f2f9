"""What watches the gradients during a timed block: nothing, or the probe; peers are in peers.py.

Each is attached, sees every step, and is detached again, so that they can take turns on one model.
"""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn
from torch.optim import Optimizer

from gradgate import probe
from gradgate.probe.session.run import job_of


class Bare:
    """Nothing watches: what the others are compared with."""

    label = "bare"
    warm_up = 0.5
    """Seconds at the start of a block that are not timed."""

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
    """Gradgate's probe at `every=1`, connected to a server.

    What it does at its start, more often than later, is not timed.
    """

    label = "gradgate, every=1"
    warm_up = 3.0
    every: int | None = 1

    def __init__(self, server: str, package: ModuleType = probe) -> None:
        self.server = server
        self.package = package
        self.runs: dict[str, int] = {}

    def attach(self, model: nn.Module, optimizer: Optimizer) -> None:
        """Attach as the README says."""
        name = f"{self.label} {len(self.runs) + 1}"
        self.run: Any = self.package.attach(
            model, optimizer, name=name, server=self.server, every=self.every
        )

    def after_step(self, step: int, loss: float) -> None:
        """Log the loss and remember the step."""
        self.run.log(loss=loss)
        self.runs[self.run.id] = step

    def detach(self) -> None:
        """Wait until all is stored, so that no sending runs into the next block."""
        if not self.run.flush(60):
            raise RuntimeError("the server did not store what the probe measured in 60 s")
        self.run.detach()


class Default(Probe):
    """Gradgate's probe as it is by default: it samples as often as its budget allows."""

    label = "gradgate, by default"
    every = None


class WithoutMovement(Probe):
    """The probe that looks at gradients only, and at no weight."""

    label = "gradgate without movement, every=1"

    def attach(self, model: nn.Module, optimizer: Optimizer) -> None:
        """Attach, and look at no weight."""
        super().attach(model, optimizer)
        job_of(self.run).measurement.looks.stop()


class OtherProbe(Probe):
    """The probe of another checkout, loaded beside this one's under a name of its own."""

    label = "gradgate of the other checkout, every=1"

    def __init__(self, server: str, checkout: Path) -> None:
        super().__init__(server, load_probe(checkout))


def load_probe(checkout: Path) -> ModuleType:
    """Import the probe of a checkout as ``other_probe``; its own imports are relative.

    Raises FileNotFoundError where there is none.
    """
    folder = checkout / "probe"
    file = folder / "__init__.py"
    spec = spec_from_file_location("other_probe", file, submodule_search_locations=[str(folder)])
    if spec is None or spec.loader is None or not file.is_file():
        raise FileNotFoundError(f"{file} is not there: give the folder of a checkout of Gradgate")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
