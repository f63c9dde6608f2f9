"""The route of the server's health."""

from __future__ import annotations

from fastapi import Response

from ...protocol.health import Health, StoreHealth
from ...protocol.version import VERSION
from ..dependencies import PartsOf


async def get_health(response: Response, parts: PartsOf) -> Health:
    """Whether the server can write its store, as it was within the last second, and is sound."""
    error = parts.store.damage or await parts.hub.store_check.error()
    response.status_code = 200 if error is None else 503
    writer = parts.hub.writer
    return Health(
        status="ok" if error is None else "failing",
        version=VERSION,
        store=StoreHealth(
            kind=parts.store.kind,
            queue=writer.waiting,
            last_commit=writer.last_commit,
            error=error,
        ),
    )
