"""Commands over REST."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

FREEZE = {"kind": "freeze", "target": "a.*"}


def test_a_command_is_asked_for_and_listed(client: TestClient, known: str) -> None:
    """The answer says that it was requested, and the log has it, newest first."""
    path = f"/api/runs/{known}/commands"
    answer = client.post(path, json=FREEZE)
    assert answer.status_code == 202
    assert (answer.json()["id"], answer.json()["state"]) == (1, "requested")
    assert client.post(path, json={"kind": "explain"}).json()["target"] == "*"
    log = client.get(path).json()["commands"]
    assert [(row["id"], row["kind"], row["by"]) for row in log] == [
        (2, "explain", "api"),
        (1, "freeze", "api"),
    ]
    assert [row["id"] for row in client.get(path, params={"limit": 1}).json()["commands"]] == [2]
    assert client.get(f"{path}/1").json() == log[1]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "melt", "target": "a"}, 422),
        ({"kind": "freeze"}, 422),
        ({"kind": "freeze", "target": "a", "colour": "red"}, 422),
    ],
)
def test_what_is_no_command_is_refused(
    client: TestClient, known: str, body: dict[str, Any], status: int
) -> None:
    """And enters no log."""
    path = f"/api/runs/{known}/commands"
    assert client.post(path, json=body).status_code == status
    assert client.get(path).json() == {"commands": []}


def test_a_command_that_is_not_there(client: TestClient, known: str, run: str) -> None:
    """A 404 that says where those are that there are."""
    answer = client.get(f"/api/runs/{known}/commands/7")
    assert answer.status_code == 404
    assert f"GET /api/runs/{run}/commands lists" in answer.json()["detail"]
    assert client.get("/api/runs/nothing/commands").status_code == 404
    assert client.post("/api/runs/nothing/commands", json=FREEZE).status_code == 404


def test_without_a_job_nothing_is_previewed(client: TestClient, known: str) -> None:
    """The run is live and its job away, so it may be back in a moment."""
    answer = client.get(f"/api/runs/{known}/preview", params=FREEZE)
    assert answer.status_code == 503
    assert "is not connected" in answer.json()["detail"]
