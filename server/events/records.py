"""What detectors are shown: a record of each thing that reaches the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..protocol.alerts import Alert
from ..protocol.commands.row import CommandRow
from ..protocol.gates import Gate
from ..protocol.probe_messages import Metrics
from ..protocol.runs import RunStatus
from ..protocol.totals import Totals

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SampleRecord:
    """One sample, with what was usual before it; every array has one entry a parameter.

    `number` counts the run's samples, `usual` is the running median of the norm, NaN before it
    has settled, `total` the norm of all gradients together.
    """

    number: int
    step: int
    time: float
    skipped: bool
    states: NDArray[np.uint8]
    norms: NDArray[np.float32]
    update_ratios: NDArray[np.float32] | None
    present: Mask
    usual: NDArray[np.float32]
    total: float
    usual_total: float


@dataclass(frozen=True, slots=True)
class MetricsRecord:
    """What was logged at one step."""

    frame: Metrics


@dataclass(frozen=True, slots=True)
class TotalsRecord:
    """The total norms of steps, whether they were sampled or not."""

    frame: Totals


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """A command that is in a state since now."""

    row: CommandRow
    positions: Sequence[int]
    time: float
    step: int


@dataclass(frozen=True, slots=True)
class GatesRecord:
    """The gates as they were told before, and as they are told now."""

    before: Sequence[Gate]
    now: Sequence[Gate]
    time: float
    step: int


@dataclass(frozen=True, slots=True)
class AlertsRecord:
    """The alerts as they were told before, and as they are told now."""

    before: Sequence[Alert]
    now: Sequence[Alert]
    time: float
    step: int


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run whose status is another since now; `before` is None when it is new."""

    before: RunStatus | None
    now: RunStatus
    time: float
    step: int


Record = (
    SampleRecord
    | MetricsRecord
    | TotalsRecord
    | CommandRecord
    | GatesRecord
    | AlertsRecord
    | RunRecord
)
