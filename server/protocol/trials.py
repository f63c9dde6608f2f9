"""A gate tried before it is made: what the job is given to play, and what it answers."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from . import limits
from .fields import Count, Name, Text
from .gates import GateFields
from .models import Message

Steps = Annotated[list[Count], Field(max_length=limits.TRIAL_SAMPLES)]


class RecordedHistory(Message):
    """Values under the names that conditions know, one at each of `steps`.

    Null stands for a `norm` where no gradient arrived, and for a metric that had no value yet.
    """

    model_config = ConfigDict(ser_json_inf_nan="constants")

    steps: Steps
    values: dict[Name, list[float | None]]


class ConditionFault(Message):
    """Why there cannot be such a gate; `column`, from 0, is the place in its condition."""

    message: Text
    column: Count | None


class Trial(Message):
    """How a condition fared: `samples` were played, and at `closed` it would have been closed.

    `names` are known to conditions now, and of those in `missing` there is no history. `first` and
    `last` are the ends of the steps that were played; older probes tell none.
    """

    error: ConditionFault | None
    names: Annotated[list[Name], Field(max_length=limits.PARAMETERS)]
    closed: Steps | None
    samples: Count
    missing: Annotated[list[Name], Field(max_length=limits.PARAMETERS)]
    notes: Annotated[list[Text], Field(max_length=limits.PARAMETERS)]
    first: Count | None = None
    last: Count | None = None


class TrialRequest(GateFields):
    """Try a gate on at most the latest `samples` samples; nothing is made."""

    samples: Annotated[int, Field(ge=1, le=limits.TRIAL_SAMPLES)] = 1000
