"""Every operation of the API with arguments that nobody should give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

VALUES = (
    *("", " ", "\x00", "\U0001f600", "a" * 5000, "../..", "%2e%2e%2f", "nan", "inf", "-1", "0"),
    *(
        "9" * 400,
        "9223372036854775808",
        "1e999",
        "null",
        "[]",
        "{}",
        "\u202e",
        "'; DROP TABLE runs",
    ),
)
"""What is given in the path and the query."""
BODIES = (
    *(b"", b"null", b"[]", b"{}", b"{", b"NaN", b'""', b"[" * 30_000, b"\xff", b'{"kind": null}'),
    *(b'{"kind": "freeze", "target": "\\u0000"}', b'{"kind": "gate", "site": 1e999}'),
    *(b'{"kind": "freeze", "target": "a.*", "limit": {"steps": 1e400}}', b"1" * 5000),
    *(b'{"name": "\\ud800"}', b'{"tags": [[]], "notes": {}}', b'{"keep_days": NaN}'),
)
Call = tuple[str, str, dict[str, str], bytes | None]


def calls(document: dict[str, Any], run: str) -> Iterator[tuple[dict[str, Any], Call]]:
    """Each operation, and how it is called: one argument at a time is what it ought not to be."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            good = path.replace("{run}", run).replace("{number}", "1")
            for value in VALUES:
                for each in operation.get("parameters", []):
                    if each["in"] == "query":
                        yield operation, (method, good, {each["name"]: value}, None)
                    elif value.strip(" \x00./"):
                        yield (
                            operation,
                            (method, path.replace(f"{{{each['name']}}}", value), {}, None),
                        )
            for body in BODIES if "requestBody" in operation else ():
                yield operation, (method, good, {}, body)


@pytest.mark.parametrize("known_run", [True, False])
def test_no_argument_is_a_fault_of_the_server(
    client: TestClient, known: str, known_run: bool
) -> None:
    """Each is answered with a documented status, and refused in the documented shape."""
    document = client.get("/openapi.json").json()
    json = {"Content-Type": "application/json"}
    tried = 0
    for operation, (method, path, query, body) in calls(document, known if known_run else "x"):
        answer = client.request(method, path, params=query, content=body, headers=json)
        tried += 1
        called = (
            f"{method} {path[:80]} {query} {body!r:.80}: {answer.status_code} {answer.text:.200}"
        )
        assert answer.status_code != 500, called
        if answer.status_code in (404, 405):
            continue
        assert str(answer.status_code) in operation["responses"], called
        if answer.status_code >= 400 and path != "/healthz":
            detail = answer.json()["detail"]
            said = [each["msg"] for each in detail] if isinstance(detail, list) else [detail]
            assert all(said), called
    assert tried > 500
