"""The audit log: who did what, from where, kept for good."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, and_, insert, or_, select

from ..protocol.audit import Action, AuditRow
from .refusals import UnknownEntry
from .tables import audit


@dataclass(frozen=True)
class Actor:
    """Who acts, as the audit log has it, and the address from which."""

    title: str = ""
    address: str = ""


NOBODY_KNOWN = Actor()
"""Who acts where no token is wanted, and nobody asked."""


@dataclass(frozen=True)
class Entry:
    """What somebody did, at a time in seconds; `run` and `name` of the run to which."""

    actor: Actor
    action: Action
    detail: Mapping[str, Any] = field(default_factory=dict)
    run: str | None = None
    name: str | None = None
    time: float = field(default_factory=time.time)


def record_entry(connection: Connection, entry: Entry) -> None:
    """Write down what somebody did, together with what it changes."""
    connection.execute(
        insert(audit).values(
            id=secrets.token_hex(8),
            time=entry.time,
            actor=entry.actor.title,
            address=entry.actor.address,
            action=entry.action,
            about=entry.run,
            name=entry.name,
            detail=dict(entry.detail),
        )
    )


@dataclass(frozen=True)
class AuditQuery:
    """Which entries are wanted: between two times, of an actor, of a run by id or name."""

    since: float | None = None
    until: float | None = None
    actor: str | None = None
    run: str | None = None
    action: Action | None = None


def audit_rows(
    connection: Connection, wanted: AuditQuery, limit: int, before: str | None = None
) -> list[AuditRow]:
    """Return entries, newest first; after the one with the id `before`.

    Raises `UnknownEntry`.
    """
    query = select(audit)
    if wanted.since is not None:
        query = query.where(audit.c.time >= wanted.since)
    if wanted.until is not None:
        query = query.where(audit.c.time <= wanted.until)
    if wanted.actor is not None:
        query = query.where(audit.c.actor == wanted.actor)
    if wanted.run is not None:
        query = query.where(or_(audit.c.about == wanted.run, audit.c.name == wanted.run))
    if wanted.action is not None:
        query = query.where(audit.c.action == wanted.action)
    if before is not None:
        at = connection.scalar(select(audit.c.time).where(audit.c.id == before))
        if at is None:
            raise UnknownEntry(f"The audit log has no entry {before!r}: begin at its end anew.")
        earlier = and_(audit.c.time == at, audit.c.id < before)
        query = query.where(or_(audit.c.time < at, earlier))
    rows = connection.execute(query.order_by(audit.c.time.desc(), audit.c.id.desc()).limit(limit))
    return [
        AuditRow(
            id=row.id,
            time=row.time,
            actor=row.actor,
            address=row.address,
            action=row.action,
            run=row.about,
            name=row.name,
            detail=row.detail,
        )
        for row in rows
    ]
