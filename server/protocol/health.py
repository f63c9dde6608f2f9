"""The health of the server, as a row."""

from __future__ import annotations

from typing import Literal

from .models import Row


class StoreHealth(Row):
    """The state of the store: frames that wait to be written, and the time of the last commit."""

    kind: str
    queue: int
    last_commit: float | None
    error: str | None = None


class Health(Row):
    """Answer of `GET /healthz`."""

    status: Literal["ok", "failing"]
    version: str
    store: StoreHealth
