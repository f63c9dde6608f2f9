"""The page of the audit log."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, get_args
from urllib.parse import urlencode

from sqlalchemy import Connection

from ..export.report.words import visible
from ..protocol.audit import Action, AuditRow
from ..store.audit import AuditQuery, audit_rows
from ..store.runs import known_runs
from .audit_words import details, who

LINES = 100
"""Entries of one page."""


@dataclass(frozen=True)
class AuditLine:
    """One entry, as it is shown."""

    time: str
    shown: str
    who: str
    address: str
    action: str
    run: str | None
    name: str
    there: bool
    """Is the run still there?"""
    details: str


@dataclass(frozen=True)
class AuditPage:
    """What people did, newest first, and what is looked for."""

    template: ClassVar[str] = "audit.html"
    version: str
    lines: list[AuditLine]
    actions: Sequence[str]
    actor: str
    run: str
    action: str
    older: str | None
    """The query that leads to the next page."""


def audit_page(
    connection: Connection,
    version: str,
    actor: str,
    run: str,
    action: Action | None,
    before: str | None,
) -> AuditPage:
    """Return a page of what is looked for, "" for everything; raises `UnknownEntry`."""
    wanted = AuditQuery(actor=actor or None, run=run or None, action=action)
    rows = audit_rows(connection, wanted, LINES + 1, before)
    shown = rows[:LINES]
    there = known_runs(connection, {row.run for row in shown if row.run is not None})
    older = None
    if len(rows) > LINES:
        asked = {"actor": actor, "run": run, "action": action or "", "before": shown[-1].id}
        older = f"?{urlencode({name: value for name, value in asked.items() if value})}"
    lines = [_line(row, row.run in there) for row in shown]
    return AuditPage(version, lines, get_args(Action), actor, run, action or "", older)


def _line(row: AuditRow, there: bool) -> AuditLine:
    moment = time.gmtime(row.time)
    return AuditLine(
        time.strftime("%Y-%m-%dT%H:%M:%SZ", moment),
        time.strftime("%Y-%m-%d %H:%M:%S", moment),
        visible(who(row)),
        row.address,
        row.action,
        row.run,
        visible(row.name or ""),
        there,
        visible(details(row)),
    )
