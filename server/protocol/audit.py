"""What people did, as rows."""

from __future__ import annotations

from typing import Any, Literal

from .models import Row

Action = Literal[
    "command",
    "edit",
    "delete",
    "dismiss",
    "sign_in",
    "sign_out",
    "wrong_token",
    "token_added",
    "token_revoked",
]


class AuditRow(Row):
    """One thing that somebody did; it outlives the run that it was done to.

    `actor` is the name of a token, `token` for the one without a name, `user NAME` for whom a proxy
    named, `token file` for the file of tokens, and "" where none is wanted or known. `run` and
    `name` are those of the run as it was then, null for what concerns none.
    """

    id: str
    time: float
    actor: str
    address: str
    action: Action
    run: str | None
    name: str | None
    detail: dict[str, Any]


class AuditRows(Row):
    """A page of them, newest first; `before` of the next page is the id of the last."""

    audit: list[AuditRow]
