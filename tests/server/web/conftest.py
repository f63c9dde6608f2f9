"""A server in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.store.runs import open_run
from gradgate.server.web.app import create_app
from gradgate.server.web.dependencies import Parts
from tests.support.probing import hello
from tests.support.storing import settings


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """Asks a server of its own."""
    app = create_app(settings(tmp_path))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def parts(client: TestClient) -> Parts:
    """What that server is made of."""
    parts: Parts = client.app.state.parts  # type: ignore[attr-defined]
    return parts


@pytest.fixture
def known(parts: Parts, run: str) -> str:
    """A run that the server knows, of two parameters, without a job."""
    greeting = Hello.model_validate(hello(run))
    parts.hub.writer.submit(lambda connection: open_run(connection, greeting, 1.0)).result(20)
    return run
