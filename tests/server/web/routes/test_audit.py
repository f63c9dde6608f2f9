"""The audit log over REST, with a real server and real changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from tests.support.probing import NONFINITE, PRESENT, FakeProbe, hello
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for

SECRETS = {kind: f"{kind}-0123456789abcdef" for kind in ("view", "control", "probe")}
LINES = [f"{kind}er {kind} {secret}\n" for kind, secret in SECRETS.items()]


def bearer(kind: str) -> dict[str, str]:
    """The header that shows a token of a kind."""
    return {"Authorization": f"Bearer {SECRETS[kind]}"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with a token of each kind."""
    path = tmp_path / "tokens"
    path.touch(0o600)
    path.write_text("".join(LINES))
    return path


@pytest.fixture
def asks(tmp_path: Path, file: Path) -> Iterator[httpx.Client]:
    """Asks a server with the control token."""
    with (
        ServerProcess(tmp_path / "data", "--token-file", str(file)) as server,
        httpx.Client(base_url=server.url, headers=bearer("control"), timeout=20) as client,
    ):
        client.server = server  # type: ignore[attr-defined]
        yield client


def entries(asks: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    """What the log has, newest first."""
    answer = asks.get("/api/audit", params=query)
    assert answer.status_code == 200
    rows: list[dict[str, Any]] = answer.json()["audit"]
    return rows


def test_all_that_changes_something_is_written_down(
    asks: httpx.Client, file: Path, run: str
) -> None:
    """By whom and from where, also of a run that is deleted by now; who may only look sees none."""
    path = f"/api/runs/{run}"
    server: ServerProcess = asks.server  # type: ignore[attr-defined]
    with FakeProbe(server, hello(run, name="digits"), additional_headers=bearer("probe")) as probe:
        probe.sample(1, [float("nan"), 1], [NONFINITE, PRESENT])
        probe.until_acked(1)
        freeze = {"kind": "freeze", "target": "a", "by": "browser"}
        assert asks.post(f"{path}/commands", json=freeze).status_code == 202
        assert asks.patch(path, json={"name": "best", "tags": ["x"]}).status_code == 200
        for edit in ({"notes": "n"}, {"archived": True}, {"keep_days": 3}):
            assert asks.patch(path, json=edit).status_code == 200
        assert asks.post(f"{path}/events/1/dismiss").status_code == 200
        assert asks.delete(path).status_code == 409
        probe.bye(2)
        wait_for(lambda: asks.get(path).json()["status"] == "finished")
    assert asks.patch(path, json={"tags": "x"}).status_code == 422
    assert asks.delete(path).status_code == 204
    rows = entries(asks, run=run)
    assert [(row["action"], row["name"]) for row in rows] == [
        ("delete", "best"),
        ("dismiss", "best"),
        *(("edit", "best") for _ in range(3)),
        ("edit", "digits"),
        ("command", "digits"),
    ]
    assert {(row["actor"], row["address"]) for row in rows} == {("controler", "127.0.0.1")}
    assert [row["detail"] for row in rows[2:6]] == [
        {"keep_days": 3},
        {"archived": True},
        {"notes": "n"},
        {"name": "best", "tags": ["x"]},
    ]
    told = {"command": 1, "kind": "freeze", "target": "a", "by": "controler (browser)"}
    assert rows[6]["detail"] == told
    for kind in ("view", "probe"):
        refused = asks.get("/api/audit", headers=bearer(kind))
        assert refused.status_code == 403
    page = entries(asks, run=run, limit=3)
    assert page == rows[:3]
    assert entries(asks, run=run, limit=4, before=page[-1]["id"]) == rows[3:]
    assert entries(asks, since=rows[0]["time"], run=run)[-1]["id"] == rows[0]["id"]


def test_who_comes_in_and_who_does_not_is_written_down(asks: httpx.Client, file: Path) -> None:
    """Sign-ins in both ways, sign-outs, revoked tokens, and wrong ones as a number."""
    server: ServerProcess = asks.server  # type: ignore[attr-defined]
    with httpx.Client(base_url=server.url) as tab:
        tab.post("/sign-in", data={"token": SECRETS["view"]})
        tab.post("/sign-out")
        assert tab.get(f"/?token={SECRETS['control']}").status_code == 303
    file.write_text("".join(LINES[1:]))
    wait_for(lambda: len(entries(asks)) == 4, 20, "the log has what happened")
    for number in range(30):
        server.page("/api/runs", headers={"Authorization": f"Bearer guess-{number}"})
    assert asks.get("/api/audit").status_code == 429
    server.stop()
    server.restart()
    rows = entries(asks)
    tries = [row for row in rows if row["action"] == "wrong_token"]
    assert 1 <= len(tries) <= 2
    assert sum(row["detail"]["tries"] for row in tries) == 31
    assert {(row["actor"], row["address"]) for row in tries} == {("", "127.0.0.1")}
    assert [(row["actor"], row["action"]) for row in reversed(rows[len(tries) :])] == [
        ("viewer", "sign_in"),
        ("viewer", "sign_out"),
        ("controler", "sign_in"),
        ("token file", "token_revoked"),
    ]
    assert rows[len(tries)]["detail"] == {"token": "viewer", "kind": "view"}
    assert not any(secret in str(rows) for secret in SECRETS.values())


def test_what_cannot_be_is_refused(client: TestClient) -> None:
    """Where no token is wanted anybody reads it, and a wrong question is a 422 or a 404."""
    assert client.get("/api/audit").json() == {"audit": []}
    for query in ({"since": "nan"}, {"before": "x"}, {"action": "party"}, {"limit": "0"}):
        assert client.get("/api/audit", params=query).status_code == 422
    missing = client.get("/api/audit", params={"before": "0" * 16})
    assert missing.status_code == 404
    assert "no entry" in missing.json()["detail"]
