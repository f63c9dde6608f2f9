"""The route of the audit log of the whole server."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from ...protocol.audit import Action, AuditRows
from ...protocol.fields import Name
from ...store.audit import AuditQuery, audit_rows
from ..dependencies import StoreOf

Time = Annotated[float | None, Query(allow_inf_nan=False)]


def list_audit(
    store: StoreOf,
    since: Time = None,
    until: Time = None,
    actor: Name | None = None,
    run: Name | None = None,
    action: Action | None = None,
    before: Annotated[str | None, Query(pattern="^[0-9a-f]{16}$")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
) -> AuditRows:
    """What people did, newest first, that of runs which are deleted by now, too: between two
    times, by an actor, to a run (its id, or its name then), of one action, before an id.

    Only who may change something may read it.
    """
    wanted = AuditQuery(since, until, actor, run, action)
    with store.read() as connection:
        return AuditRows(audit=audit_rows(connection, wanted, limit, before))
