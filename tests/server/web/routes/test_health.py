"""The health of a server."""

from __future__ import annotations

from tests.support.serving import ServerProcess


def test_health(shared_server: ServerProcess) -> None:
    """`/healthz` says that the store can be written, and when it last was."""
    health = shared_server.get("/healthz")
    assert health["status"] == "ok"
    assert health["store"]["kind"] == "sqlite"
    assert health["store"]["last_commit"] is not None
