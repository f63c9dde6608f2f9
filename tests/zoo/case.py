"""A case of the zoo: a training step, and what is wrong with which parameter, and where."""

from __future__ import annotations

import fnmatch
import importlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from gradgate.probe.session.run import Run

_MARKER = re.compile(r"# <- (?P<case>\w+)(?:: (?P<parameter>\S+))?$")


@dataclass(frozen=True)
class Job:
    """A model, one forward and backward of its training, and what steps it."""

    model: nn.Module | Mapping[str, nn.Module]
    closure: Callable[[], object]
    optimizer: Optimizer | Sequence[Optimizer] | None = None
    loose: Mapping[str, Tensor] = field(default_factory=dict)
    """What trains and is registered in no module, by its attribute path."""

    def parameters(self) -> dict[str, Tensor]:
        """Every parameter under its name, tied ones once, and what is loose."""
        if isinstance(self.model, nn.Module):
            return {**dict(self.model.named_parameters()), **self.loose}
        named = {
            f"{key}.{name}": parameter
            for key, model in self.model.items()
            for name, parameter in model.named_parameters()
        }
        return {**named, **self.loose}

    def held(self) -> set[int]:
        """The identities of the parameters that the optimizers hold."""
        given = self.optimizer
        optimizers = [given] if isinstance(given, Optimizer) else list(given or ())
        return {
            id(parameter)
            for optimizer in optimizers
            for group in optimizer.param_groups
            for parameter in group["params"]
        }


@dataclass(frozen=True)
class Marker:
    """A line of a case's source that ends in ``# <- case`` or ``# <- case: parameter``."""

    case: str
    parameter: str | None
    """The parameter, or a glob, whose line it is; None for all that have no marker of their own."""
    place: str


@dataclass(frozen=True)
class Case:
    """A model and the cause of every gradient that it lacks.

    A cause with a line is marked there: ``# <- name``, or ``# <- name: parameter`` where
    parameters have different lines. Several lines with one marker are cuts on several paths.
    """

    name: str
    build: Callable[[], Job]
    expected: Mapping[str, str] = field(default_factory=dict)
    command: Callable[[Run], object] | None = None
    """Freezes or gates, issued to an attached run before the step."""
    library: tuple[str, str] | None = None
    """A module and the text of its line, where that is the place; the marker is its caller's."""

    def __str__(self) -> str:
        return self.name

    def job(self) -> Job:
        """The training step, made afresh, the same every time."""
        torch.manual_seed(0)
        return self.build()

    @property
    def source(self) -> Path:
        """The file that the case is written in."""
        return Path(self.build.__code__.co_filename)

    def marked(self, parameter: str) -> list[str]:
        """The places that are marked for a parameter, as ``file:line``."""
        mine = [marker for marker in markers(self.source) if marker.case == self.name]
        own = [m.place for m in mine if m.parameter and fnmatch.fnmatch(parameter, m.parameter)]
        return own or [marker.place for marker in mine if marker.parameter is None]

    def places(self, parameter: str) -> list[str]:
        """The lines of which one is to be named for a parameter; none for a cause without."""
        if self.library is None:
            return self.marked(parameter)
        name, text = self.library
        file = importlib.import_module(name).__file__
        assert file is not None
        lines = Path(file).read_text(encoding="utf-8").splitlines()
        (number,) = (n for n, line in enumerate(lines, 1) if line.strip() == text)
        return [f"{_relative(Path(file))}:{number}"]


def markers(source: Path) -> list[Marker]:
    """Every marker of a file."""
    lines = source.read_text(encoding="utf-8").splitlines()
    return [
        Marker(found["case"], found["parameter"], f"{_relative(source)}:{number}")
        for number, line in enumerate(lines, 1)
        if (found := _MARKER.search(line))
    ]


def layers(cause: str, *paths: str) -> dict[str, str]:
    """The same cause for the weight and the bias of each layer."""
    return {f"{path}.{name}": cause for path in paths for name in ("weight", "bias")}


def inputs(rows: int = 8) -> Tensor:
    """Rows of six features."""
    return torch.randn(rows, 6)


def classes(rows: int = 8) -> Tensor:
    """A label of three for each row."""
    return torch.arange(rows) % 3


def classifier(model: nn.Module) -> Job:
    """The everyday loop around a classifier of :func:`inputs` in :func:`classes`."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), classes()

    def step() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss.item()

    return Job(model, step, optimizer)


def _relative(file: Path) -> str:
    """The path as it is shown: relative to the working directory when it is below."""
    here = Path(os.getcwd())
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)
