"""The step that gradients arrive in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from ..base.guard import Guard
from ..freeze.grad_scaler import LossScale
from ..freeze.recomputations import Recomputations
from ..measure.measurement import Measurement
from ..model.table import ParameterTable
from .norms import GateNorms


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
    number: int = 1
    zeros: set[int] = field(default_factory=set)
    """Parameters of which the script asked for a gradient, and got zeros or None."""

    def stand_ins(self) -> dict[int, int]:
        """Return the parameters in whose place a module holds another tensor, by its ``id``."""
        return self.table.stand_ins(self.models)
