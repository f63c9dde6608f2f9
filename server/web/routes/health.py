"""The route of the server's health."""

from __future__ import annotations

from concurrent.futures import TimeoutError as FutureTimeoutError

from fastapi import Response
from sqlalchemy import Connection, update
from sqlalchemy.exc import SQLAlchemyError

from ...protocol.health import Health, StoreHealth
from ...protocol.version import VERSION
from ...store.tables import meta
from ...store.write_queue import WriterEnded
from ..dependencies import Parts, PartsOf

HEALTH_PATIENCE = 3.0


def get_health(response: Response, parts: PartsOf) -> Health:
    """Whether the server can write its store; it tries."""
    error = _store_error(parts)
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


def _store_error(parts: Parts) -> str | None:
    future = parts.hub.writer.submit(_touch)
    try:
        future.result(HEALTH_PATIENCE)
    except FutureTimeoutError:
        future.cancel()
        return (
            _failing(parts.hub.writer.error)
            or f"The store did not take a write within {HEALTH_PATIENCE:.0f} seconds."
        )
    except WriterEnded as error:
        return str(error)
    except SQLAlchemyError as error:
        return _failing(str(getattr(error, "orig", None) or error))
    return None


def _failing(reason: str | None) -> str | None:
    if reason is None:
        return None
    line = " ".join(reason.split())
    return f"The store cannot be written ({line}): what jobs send is kept, and written once it can."


def _touch(connection: Connection) -> None:
    connection.execute(
        update(meta).where(meta.c.key == "schema_version").values(value=meta.c.value)
    )
