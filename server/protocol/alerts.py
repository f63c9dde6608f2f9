"""A parameter that ought to train and does not, as the job tells it."""

from __future__ import annotations

from .effects import Effect
from .fields import Cause, Count, Index, ParameterName, Text


class Alert(Effect):
    """A parameter that was expected to train, and has no useful gradient since a step."""

    parameter: Index
    name: ParameterName
    since_step: Count
    cause: Cause | None
    detail: Text | None
