"""The step that gradients arrive in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from ..base.guard import Guard
from ..freeze.grad_scaler import LossScale
from ..freeze.recomputations import Recomputations
from ..measure.measurement import Measurement
from ..model.sample import UPDATE_RATIO, WEIGHT_NORM
from ..model.table import ParameterTable
from .agreed import AgreedFigures
from .gate import Gate
from .norms import GateNorms
from .reduced import ReducedParameters

FIGURES = {"update_ratio": UPDATE_RATIO, "weight_norm": WEIGHT_NORM}
"""The statistics that conditions know, by their name there."""


@dataclass
class PresentStep:
    """The step under way, as the gates of all sites know it."""

    models: Mapping[str, nn.Module]
    table: ParameterTable
    measurement: Measurement
    guard: Guard
    norms: GateNorms
    scale: LossScale
    recomputations: Recomputations
    reduced: ReducedParameters
    agreed: AgreedFigures | None = None
    """None in a job of one process."""
    number: int = 1
    zeros: set[int] = field(default_factory=set)
    """Parameters of which the script asked for a gradient, and got zeros or None."""

    def begin(self, number: int) -> None:
        """Begin the step of this number."""
        self.number = number
        self.zeros.clear()

    def values(self, gate: Gate) -> Mapping[str, float]:
        """Return what a gate's condition knows: the metrics, and the movement of a parameter.

        Raises :class:`RanksApart` where the ranks could not agree on it.
        """
        return self.known(gate) if self.agreed is None else self.agreed.figures(gate, self.number)

    def known(self, gate: Gate) -> Mapping[str, float]:
        """Return what this rank knows of it."""
        known = self.measurement.metrics.latest
        index = gate.weight_in(self.table)
        if index is None:
            return known
        figures = {
            name: self.measurement.latest.figure(code, index) for name, code in FIGURES.items()
        }
        return {**known, **{name: value for name, value in figures.items() if value is not None}}

    def stand_ins(self) -> dict[int, int]:
        """Return the parameters in whose place a module holds another tensor, by its ``id``."""
        return {**self.table.stand_ins(self.models), **self.reduced.stand_ins()}
