"""A run: one training job, as a row."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from . import limits
from .fields import Figure, Text
from .models import Request, Row
from .restraints import Restraints


class RunStatus(StrEnum):
    """Whether a run's probe is there."""

    LIVE = "live"
    FINISHED = "finished"
    FAILED = "failed"
    LOST = "lost"

    @property
    def ended(self) -> bool:
        """Return whether the probe said goodbye, whether or not all went well."""
        return self in (RunStatus.FINISHED, RunStatus.FAILED)


class RunRow(Row):
    """One training job; `states` counts the states of its latest sample, `alerts` its alerts.

    `open_alerts` counts the events that are alerts and that nobody has dismissed, whatever is so
    now; `last_alert` is the step to which the latest of them reaches.
    `parameters`, `trainable`, `numel` and `not_in_optimizer`, which counts those that require a
    gradient and that no optimizer has, leave out the parameters that were removed.
    `number` says which run of its name it is, from 1; `group` is the search or the pipeline that it
    belongs to.
    `server_time`, when the row was made, `last_seen` and `sample_time` are by the server's clock.
    """

    id: str
    name: str
    number: int
    group: str | None
    status: RunStatus
    step: int
    started: float
    server_time: float
    last_seen: float | None
    sample_time: float | None
    sample_step: int | None
    steps_per_second: float | None
    cost: float | None
    every: int | None
    dropped: int
    faults: int
    samples: int
    parameters: int
    trainable: int
    not_in_optimizer: int
    numel: int
    ranks: int
    compiled: bool
    host: str
    pid: int
    probe_version: str
    torch_version: str
    figures: str
    states: dict[str, int]
    expect: list[str]
    restraints: Restraints
    alerts: int
    open_alerts: int
    last_alert: int | None
    tags: list[str]
    notes: str
    archived: bool
    keep_days: float | None
    keep_gb: float | None


Title = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=1,
        max_length=limits.NAME_CHARACTERS,
        pattern=r"^[^\x00]*$",
    ),
]
"""A name that a person gives to a run."""
Tag = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=1,
        max_length=limits.TAG_CHARACTERS,
        pattern=r"^[^\x00]*$",
    ),
]
Tags = Annotated[
    list[Tag], AfterValidator(lambda tags: sorted(set(tags))), Field(max_length=limits.TAGS)
]
"""Tags, each once and in order."""


_LIMITS = ("keep_days", "keep_gb")


class RunEdit(Request):
    """What a person changes of a run; a field that is null or missing stays as it is."""

    name: Title | None = None
    tags: Tags | None = None
    notes: Text | None = None
    archived: bool | None = None
    keep_days: Figure | None = None
    keep_gb: Figure | None = None
    """How much is kept in full; 0 takes the limit away, so that the server's holds."""

    @model_validator(mode="after")
    def _changes(self) -> RunEdit:
        if not self.changed:
            names = ", ".join(type(self).model_fields)
            raise ValueError(f"nothing is changed: give at least one of {names}")
        return self

    @property
    def changed(self) -> dict[str, str | list[str] | bool | float | None]:
        """Return the fields that are given, with their values as a run has them."""
        given = self.model_dump(exclude_none=True)
        return given | {name: given[name] or None for name in _LIMITS if name in given}


class Runs(Row):
    """Answer of `GET /api/runs`."""

    runs: list[RunRow]
