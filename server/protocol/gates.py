"""A gate: what may be asked for, what the job reports, and the rows of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, FiniteFloat, model_validator

from .commands.limit import Limit, limit_text
from .commands.row import CommandRow
from .fields import Action, Condition, Count, Indexes, MaxNorm, Measured, Name, Site, Text
from .gate_actions import ACTIONS
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
        own = ACTIONS[self.action]
        if own.figure is not None and getattr(self, own.figure) is None:
            raise ValueError(f"a gate that {own.verb} wants `{own.figure}`, {own.wanted}")
        for other in ACTIONS.values():
            if other is own or other.figure is None or getattr(self, other.figure) is None:
                continue
            raise ValueError(
                f"`{other.figure}` is for a gate that {other.verb}, and this one has action "
                f"{self.action}: leave it out"
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
    limit: Limit | None = None
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
    limit: Limit | None = None
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


def gate_text(gate: GateRow | CommandRow) -> str:
    """Say what a gate does and when, such as `scale by 0.5 when norm > 10, held for 5 steps`."""
    parts = [f"{action_text(gate)} when {gate.when}"]
    if gate.hold:
        parts.append(f"held for {gate.hold:,} step" + ("" if gate.hold == 1 else "s"))
    parts += [limit_text(gate.limit)] if gate.limit else []
    parts += ["paused"] if gate.paused else []
    return ", ".join(parts)


def action_text(gate: Gate | GateRow | CommandRow) -> str:
    """Say what a gate does while it is closed, such as `scale by 0.5`."""
    action = ACTIONS.get(gate.action or "", ACTIONS["block"])
    figure = None if action.figure is None else getattr(gate, action.figure)
    return f"{gate.action}" if figure is None else f"{gate.action} {action.preposition} {figure:g}"
