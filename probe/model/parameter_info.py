"""A parameter as the run reports it in Python."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..base.states import State
from .freeze import Freeze
from .sample import GRAD_MAX, GRAD_NORM, UPDATE_RATIO, WEIGHT_NORM, Sample
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
    update_ratio: float | None
    """How far the latest step that was looked at moved it, to its norm; None before one was.

    Exact for up to 4,096 elements. Of more it is an estimate, within some 2 % where all elements
    move alike; where few do, as in an embedding, within some 10 % if one in a hundred does.
    """
    weight_norm: float | None
    """L2 norm of the weight after the latest step that was looked at."""
    step: int | None
    """The step of the latest sample; None before the first that covers it."""
    removed: bool
    """It left the model, or another parameter has taken its place."""


def describe(
    index: int,
    row: TableRow,
    freeze: Freeze | None,
    sample: Sample | None,
    others: Mapping[int, npt.NDArray[np.float32]],
) -> ParameterInfo:
    """Put together what is known of a parameter; samples may be older than it is, and shorter.

    ``others``: the latest values of the statistics that are not in every sample, by code.
    """
    if sample is not None and index >= len(sample.states):
        sample = None
    known = {
        code: _finite(float(values[index]))
        for code, values in others.items()
        if index < len(values) and not row.removed
    }
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
        grad_max=known.get(GRAD_MAX),
        update_ratio=known.get(UPDATE_RATIO),
        weight_norm=known.get(WEIGHT_NORM),
        step=sample.step if sample else None,
        removed=row.removed,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
