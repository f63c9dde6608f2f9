"""Every status that a route answers with is in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from starlette.testclient import TestClient

from gradgate.server.live.questions import NoAnswer, TooManyQuestions
from gradgate.server.protocol import limits
from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.store.runs import open_run
from gradgate.server.store.tables import runs
from gradgate.server.web.app import create_app
from gradgate.server.web.dependencies import Parts
from gradgate.server.web.tokens import read_lines
from tests.support.probing import hello
from tests.support.storing import settings

Operations = dict[tuple[str, str], dict[str, Any]]
VIEW, CONTROL = "view-0123456789abcdef", "control-0123456789abcdef"
BODIES = {
    "commands": {"kind": "freeze", "target": "a"},
    "trial": {"site": "param:a", "when": "norm > 1", "action": "block"},
    "PATCH": {"notes": "x"},
}
QUERIES = {
    "series": {"parameter": "a"},
    "sparklines": {"run": "a"},
    "export": {"format": "csv", "table": "run"},
    "preview": {"kind": "freeze", "target": "a"},
}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """Asks a server that wants tokens, with a control token."""
    tokens = read_lines([f"v view {VIEW}", f"c control {CONTROL}"], "the test")
    app = create_app(replace(settings(tmp_path), tokens=tokens))
    with TestClient(app, base_url="http://127.0.0.1", headers=bearer(CONTROL)) as client:
        yield client


@pytest.fixture
def parts(client: TestClient) -> Parts:
    """What that server is made of."""
    parts: Parts = client.app.state.parts  # type: ignore[attr-defined]
    return parts


@pytest.fixture
def operations(client: TestClient) -> Operations:
    """Each operation of the document, by its method and path."""
    return {
        (method.upper(), path): operation
        for path, methods in client.get("/openapi.json").json()["paths"].items()
        for method, operation in methods.items()
    }


def bearer(token: str) -> dict[str, str]:
    """The header that shows a token."""
    return {"Authorization": f"Bearer {token}"}


def ask(
    client: TestClient, operation: tuple[str, str], run: str = "0" * 16, **options: Any
) -> tuple[int, str]:
    """Ask for an operation as it ought to be asked for, but for some options."""
    method, path = operation
    last = path.rsplit("/", 1)[-1]
    body = BODIES.get(last, BODIES.get(method))
    asked = {"json": body} if body is not None and method != "GET" else {}
    answer = client.request(
        method,
        path.format(run=run, number=1),
        **{**asked, "params": QUERIES.get(last), **options},
    )
    return answer.status_code, answer.text


def statuses(
    client: TestClient, operations: Operations, run: str = "0" * 16, **options: Any
) -> set[int]:
    """Ask for every operation, and return the statuses, each of which has to be documented."""
    found = set()
    for operation, documented in operations.items():
        status, text = ask(client, operation, run, **options)
        assert str(status) in documented["responses"], (operation, status, text)
        found.add(status)
    return found


def test_what_is_wrong_with_a_request_is_documented(
    client: TestClient, operations: Operations
) -> None:
    """By each route: no token, one of another kind, another host or origin, too long a body."""
    assert len(operations) > 20
    assert 401 in statuses(client, operations, headers={"Authorization": "none"})
    assert 403 in statuses(client, operations, headers=bearer(VIEW))
    assert 403 in statuses(client, operations, headers={"Origin": "http://evil.example"})
    assert statuses(client, operations, headers={"Host": "evil.example"}) == {400}
    long = b" " * (limits.BODY_BYTES + 1)
    assert statuses(client, operations, json=None, content=long) == {413}
    assert 422 in statuses(client, operations, params={"points": "x", "format": "x", "limit": "x"})


def test_runs_that_are_not_there_are_documented(
    client: TestClient, operations: Operations, parts: Parts
) -> None:
    """One that nobody knows, a name of two live ones, and one that has ended."""

    def two(connection: Connection) -> None:
        for number in "ab":
            open_run(connection, Hello.model_validate(hello(number * 16)), 1.0)

    def ended(connection: Connection) -> None:
        connection.execute(runs.update().values(status="finished"))

    assert 404 in statuses(client, operations)
    parts.hub.writer.submit(two).result(20)
    assert 409 in statuses(client, operations, "digits")
    parts.hub.writer.submit(ended).result(20)
    others = {each: found for each, found in operations.items() if each[0] != "DELETE"}
    assert 409 in statuses(client, others, "a" * 16)


def test_a_store_that_fails_is_documented(
    client: TestClient, operations: Operations, parts: Parts
) -> None:
    """A 503 by every route but the one that has no need of it."""
    parts.hub.writer.submit(runs.drop).result(20)
    assert 503 in statuses(client, operations)


@pytest.mark.parametrize("operation", ["preview", "trial"])
def test_what_a_job_does_not_answer_is_documented(operations: Operations, operation: str) -> None:
    """Both questions that a job is asked."""
    (found,) = (each for (_, path), each in operations.items() if path.endswith(f"/{operation}"))
    for refusal in (NoAnswer, TooManyQuestions):
        assert str(refusal.status) in found["responses"]
