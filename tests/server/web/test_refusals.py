"""The answers to what goes wrong."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from gradgate.server.web.dependencies import Parts


def test_a_refusal_is_data_for_a_program_and_a_page_for_a_person(client: TestClient) -> None:
    """With the same status."""
    data, page = client.get("/api/runs/nothing"), client.get("/runs/nothing")
    assert (data.status_code, page.status_code) == (404, 404)
    assert data.json()["detail"].startswith("There is no run 'nothing'")
    assert "This run is not here" in page.text
    assert "/api/" not in page.text
    assert 'href="/?archived=1&amp;q=nothing"' in page.text
    assert page.headers["content-type"].startswith("text/html")
    assert client.get("/nowhere").status_code == 404
    assert "There is nothing at /nowhere" in client.get("/nowhere").text
    assert client.delete("/api/runs").status_code == 405


def test_what_cannot_be_the_id_of_a_run_is_no_run(client: TestClient) -> None:
    """In any route, for a person and for a program; in a query it is a wrong request."""
    for path in ("", "/parameters", "/events", "/times", "/commands/1", "/export?format=csv"):
        answer = client.get(f"/api/runs/%00{path}")
        assert (answer.status_code, answer.json()["detail"][:15]) == (404, "There is no run")
    assert client.patch("/api/runs/%00", json={"name": "new"}).status_code == 404
    assert client.delete("/api/runs/%00").status_code == 404
    page = client.get("/runs/%00")
    assert (page.status_code, "This run is not here" in page.text) == (404, True)
    assert client.get("/api/sparklines?run=%00").status_code == 422


def test_a_wrong_request_says_what_is_wrong_and_not_what_was_given(
    client: TestClient, known: str
) -> None:
    """A number that no JSON has could not be written again."""
    body = '{"kind": "gate", "site": "output:a", "action": "scale", "factor": NaN}'
    answer = client.post(
        f"/api/runs/{known}/commands", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert {name for fault in answer.json()["detail"] for name in fault} == {"type", "loc", "msg"}


def test_a_store_that_fails_is_a_503(
    client: TestClient, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a program and for a person, with what to do."""

    def fail() -> None:
        raise OperationalError("select", {}, Exception("disk I/O error"))

    monkeypatch.setattr(parts.store, "read", fail)
    for path in ("/api/runs", "/runs/nothing"):
        answer = client.get(path)
        assert answer.status_code == 503
        assert "see GET /healthz" in answer.text
