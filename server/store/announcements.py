"""What a server tells the others of its data base, in the transaction that it tells of."""

from __future__ import annotations

import secrets

from pydantic import BaseModel, ConfigDict

from ..protocol.runs import RunStatus
from .recording import Changes

# PostgreSQL carries less than 8,000 bytes; an id has at most sixteen digits.
_IDS = 100


class Announcement(BaseModel):
    """What one server changed of a run; what a later version adds is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    run: str
    server: str = ""
    """Which server tells it, since it hears itself too."""
    status: RunStatus | None = None
    topics: dict[str, list[int]] = {}
    """As `Changes` has them; no ids where there were too many, which means all that there is."""
    given: list[int] = []
    """The commands that were asked for, which the server that has the job's connection sends."""
    samples: tuple[int, int] | None = None
    metrics: tuple[int, int] | None = None
    question: str | None = None
    """The number of a question to the job, for the server that it is connected to."""
    taken: str | None = None
    """The number of a question that a server asks its job now."""
    answered: str | None = None
    """The number of a question that has an answer now, for the server that asked."""


def server_name() -> str:
    """Return a name that no other server has."""
    return secrets.token_hex(8)


def announcement(changes: Changes) -> Announcement:
    """Return what other servers have to be told of changes."""
    return Announcement(
        run=changes.run,
        status=changes.status,
        topics={name: _few(ids) for name, ids in changes.topics.items()},
        given=changes.given,
        samples=changes.samples,
        metrics=changes.metrics,
    )


def _few(ids: set[int]) -> list[int]:
    return sorted(ids) if len(ids) <= _IDS else []
