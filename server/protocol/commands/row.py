"""A command as a row of the audit log."""

from __future__ import annotations

from ..effects import Saved
from ..models import Row
from .limit import Limit
from .state import CommandState


class CommandRow(Row):
    """One entry of the audit log; among others it names the first 20 of its `count` parameters.

    The fields from `site` on are null for a freeze, a thaw and an explain; of an ungate there is
    `gate` alone, and of a new gate `gate` follows when the job has made it.
    """

    id: int
    kind: str
    target: str
    mode: str
    hold_stats: bool
    reset_state: bool
    by: str
    state: CommandState
    step: int | None
    parameters: list[str]
    count: int
    reason: str | None
    detail: str | None
    saved: Saved | None
    requested: float
    times: dict[str, float]
    site: str | None = None
    when: str | None = None
    action: str | None = None
    factor: float | None = None
    max_norm: float | None = None
    hold: int | None = None
    paused: bool | None = None
    gate: int | None = None
    limit: Limit | None = None


class CommandRows(Row):
    """Answer of `GET /api/runs/{run}/commands`."""

    commands: list[CommandRow]
