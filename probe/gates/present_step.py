"""The step that gradients arrive in."""

from __future__ import annotations

from dataclasses import dataclass

from ..base.guard import Guard
from ..freeze.grad_scaler import LossScale, ScalerZeros
from ..measure.measurement import Measurement
from ..model.table import ParameterTable
from .norms import GateNorms


@dataclass
class PresentStep:
    """The step under way, as the gates of all sites know it."""

    table: ParameterTable
    measurement: Measurement
    scaler_zeros: ScalerZeros
    guard: Guard
    norms: GateNorms
    scale: LossScale
    number: int = 1

    def fill_scaler_zeros(self) -> None:
        """Fill in zeros for a scaler that looks for gradients of which gates let none pass."""
        with self.guard:
            self.scaler_zeros.fill_gated()
