"""The health of a server."""

from __future__ import annotations

import os

from tests.support.serving import ServerProcess
from tests.support.storing import STORE


def test_health(shared_server: ServerProcess) -> None:
    """`/healthz` says that the store can be written, and when it last was."""
    health = shared_server.get("/healthz")
    assert health["status"] == "ok"
    assert health["store"]["kind"] == os.environ.get(STORE, "sqlite")
    assert health["store"]["last_commit"] is not None
