"""Parameters that ought to train and do not, as the job tells it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from . import limits
from .effects import Effect
from .fields import Cause, Count, Index, ParameterName, Text


class Alert(Effect):
    """A parameter that was expected to train, and has no useful gradient since a step."""

    parameter: Index
    name: ParameterName
    since_step: Count
    cause: Cause | None
    detail: Text | None


class Alerted(Effect):
    """Every alert that there is; `total` is how many when not all of them are listed."""

    alerts: Annotated[list[Alert], Field(max_length=limits.ALERTS)]
    total: Count | None = None

    @model_validator(mode="after")
    def _counts_what_it_lists(self) -> Alerted:
        if self.total is not None and self.total < len(self.alerts):
            raise ValueError("`total` counts at least those that are listed")
        return self

    @property
    def count(self) -> int:
        """How many there are, listed or not."""
        return len(self.alerts) if self.total is None else self.total
