"""What the audit log says, in words."""

from __future__ import annotations

from typing import Any

from ..protocol.audit import Action, AuditRow
from ..protocol.commands.limit import Limit, limit_text

WORDS: dict[Action, str] = {
    "command": "commanded",
    "edit": "edited",
    "delete": "deleted",
    "dismiss": "put aside or took up an event of",
    "sign_in": "signed in",
    "sign_out": "signed out",
    "wrong_token": "showed wrong tokens",
    "token_added": "has a new token",
    "token_revoked": "has a token no more",
}
"""What somebody did, before the name of a run where there is one."""


def who(row: AuditRow) -> str:
    """Return who acted."""
    return row.actor or "somebody"


def details(row: AuditRow) -> str:
    """Return the figures of an entry, between commas."""
    return ", ".join(
        _figure(name, value)
        for name, value in row.detail.items()
        if value not in (None, False) or name == "dismissed"
    )


def _figure(name: str, value: Any) -> str:
    """Return one of them: `target encoder`, `tags x, y`, `for 40 steps`."""
    if name == "limit":
        return limit_text(Limit.model_validate(value))
    return f"{name} {', '.join(map(str, value)) if isinstance(value, list) else value}"
