"""A parameter as the run reports it in Python."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..base.states import State
from .freeze import Freeze
from .sample import GRAD_NORM, Sample
from .table import TableRow


@dataclass(frozen=True)
class ParameterInfo:
    """One parameter; the fields are those of a row of ``GET /api/runs/{run}/parameters``."""

    name: str
    names: tuple[str, ...]
    module: str
    shape: tuple[int, ...]
    numel: int
    dtype: str
    device: str
    in_optimizer: bool
    state: str
    frozen: Freeze | None
    """The freeze that a command made; None for one that is trainable or that the script froze."""
    grad_norm: float | None
    """L2 norm of the latest sample; None where there is no gradient or it is not finite."""
    grad_max: float | None
    """Largest magnitude, as of the latest sample that took it."""
    step: int | None
    """The step of the latest sample; None before the first that covers it."""
    removed: bool
    """It left the model, or another parameter has taken its place."""


def describe(
    index: int,
    row: TableRow,
    freeze: Freeze | None,
    sample: Sample | None,
    maxima: npt.NDArray[np.float32] | None,
) -> ParameterInfo:
    """Put together what is known of a parameter; samples may be older than it is, and shorter."""
    if sample is not None and index >= len(sample.states):
        sample = None
    largest = None
    if maxima is not None and index < len(maxima) and not row.removed:
        largest = float(maxima[index])
    return ParameterInfo(
        name=row.names[0],
        names=tuple(row.names),
        module=row.module,
        shape=tuple(row.shape),
        numel=row.numel,
        dtype=row.dtype,
        device=row.device,
        in_optimizer=row.in_optimizer,
        state=State(sample.states[index] if sample else State.UNMEASURED).word,
        frozen=freeze,
        grad_norm=_finite(float(sample.values[GRAD_NORM][index])) if sample else None,
        grad_max=_finite(largest),
        step=sample.step if sample else None,
        removed=row.removed,
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
