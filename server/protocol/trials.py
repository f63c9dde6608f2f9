"""A gate tried before it is made: what the job is given to play, and what it answers."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from . import limits
from .effects import Effect
from .fields import Count, Name, Text

Steps = Annotated[list[Count], Field(max_length=limits.TRIAL_SAMPLES)]


class RecordedHistory(Effect):
    """Values under the names that conditions know, one at each of `steps`.

    Null stands for a `norm` where no gradient arrived, and for a metric that had no value yet.
    """

    model_config = ConfigDict(ser_json_inf_nan="constants")

    steps: Steps
    values: dict[Name, list[float | None]]


class ConditionFault(Effect):
    """Why there cannot be such a gate; `column`, from 0, is the place in its condition."""

    message: Text
    column: Count | None


class Trial(Effect):
    """How a condition fared: `samples` were played, and at `closed` it would have been closed.

    `names` are known to conditions now, and of those in `missing` there is no history.
    """

    error: ConditionFault | None
    names: Annotated[list[Name], Field(max_length=limits.PARAMETERS)]
    closed: Steps | None
    samples: Count
    missing: Annotated[list[Name], Field(max_length=limits.PARAMETERS)]
    notes: Annotated[list[Text], Field(max_length=limits.PARAMETERS)]
