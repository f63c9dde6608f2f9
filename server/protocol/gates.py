"""A gate: what may be asked for, what the job reports, and the rows of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, FiniteFloat, model_validator

from .fields import Action, Condition, Count, Indexes, MaxNorm, Measured, Name, Site, Text
from .models import Message, Request, Row

_WHOLE_MODEL = ("output", "input")
_NAMED = ("param", "site")


def _of_a_kind(site: str) -> str:
    kind, colon, name = site.partition(":")
    if not colon or kind not in _WHOLE_MODEL + _NAMED:
        raise ValueError(
            f"{site!r} is no site: give `param:NAME`, `output:MODULE`, `input:MODULE` or "
            "`site:LABEL`"
        )
    if kind in _NAMED and not name:
        raise ValueError(f"{site!r} names nothing: write the name behind the colon")
    return site


class GateFields(Request):
    """A gate that a job may be asked for; whether its condition is one is for the job to say."""

    site: Annotated[Site, AfterValidator(_of_a_kind)]
    when: Condition = "True"
    action: Action = "block"
    factor: FiniteFloat | None = None
    max_norm: MaxNorm | None = None
    hold: Count = 0

    @model_validator(mode="after")
    def _fits_its_action(self) -> GateFields:
        if self.action == "scale" and self.factor is None:
            raise ValueError("a gate that scales wants `factor`, such as 0.5, or -1 to reverse")
        if self.action == "clip" and self.max_norm is None:
            raise ValueError("a gate that clips wants `max_norm`, a number above 0")
        if self.action != "scale" and self.factor is not None:
            raise ValueError(
                f"`factor` is for a gate that scales, and this one has action {self.action}: "
                "leave it out"
            )
        if self.action != "clip" and self.max_norm is not None:
            raise ValueError(
                f"`max_norm` is for a gate that clips, and this one has action {self.action}: "
                "leave it out"
            )
        return self


class Gate(Message):
    """A gate: a site, a condition and an action, and what became of it so far.

    `steps` are those since it was made in which its site was reached, `closed_steps` those of them
    in which it was closed; `parameters` got no gradient because of it in the latest step.
    """

    id: Count
    site: Site
    when: Text
    action: Action
    factor: FiniteFloat | None
    max_norm: FiniteFloat | None
    hold: Count
    paused: bool
    by: Name
    command: Count | None
    since_step: Count
    closed: bool
    steps: Count
    closed_steps: Count
    norm_in: Measured
    norm_out: Measured
    problem: Text | None
    parameters: Indexes


class GateRow(Row):
    """A gate as the job last reported it; it names the first 20 of its `count` parameters."""

    id: int
    site: str
    when: str
    action: str
    factor: float | None
    max_norm: float | None
    hold: int
    paused: bool
    by: str
    command: int | None
    since_step: int
    closed: bool
    steps: int
    closed_steps: int
    norm_in: float | None
    norm_out: float | None
    problem: str | None
    parameters: list[str]
    count: int


class GateRows(Row):
    """Answer of `GET /api/runs/{run}/gates`."""

    gates: list[GateRow]
