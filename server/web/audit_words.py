"""What the audit log says, in words."""

from __future__ import annotations

from ..protocol.audit import Action, AuditRow

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
        f"{name} {', '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in row.detail.items()
        if value not in (None, False) or name == "dismissed"
    )
