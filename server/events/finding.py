"""What a detector finds: an event that is not stored yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..protocol.events import EventKind
from ..protocol.fields import AlertLevel

Positions = NDArray[np.intp]
NOBODY: Positions = np.empty(0, np.intp)
NAMES = "\0"
"""Stands in a sentence for the names of the parameters; no text of a job can hold it."""


@dataclass(frozen=True)
class Finding:
    """One event: `parameters` are positions in the table, the foremost first."""

    kind: EventKind
    level: AlertLevel
    time: float
    step: int
    sentence: str
    figures: Mapping[str, Any]
    parameters: Positions = field(default_factory=lambda: NOBODY)
    last_step: int | None = None
    """The last step that it speaks of; None: it is of one step."""
