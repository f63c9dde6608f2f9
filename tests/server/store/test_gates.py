"""Gates over REST and back from the job."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.support.probing import GATED, PRESENT, FakeProbe, gate, hello
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_until

GATE = {
    "kind": "gate",
    "site": "output:a",
    "when": "norm > 10",
    "action": "scale",
    "factor": -1.0,
    "max_norm": None,
    "hold": 5,
    "paused": True,
    "gate": None,
    "limit": {"steps": 500, "seconds": None, "while_watched": False},
    "by": "browser",
}
NO_GATE = dict.fromkeys(
    ("site", "when", "action", "factor", "max_norm", "hold", "paused", "gate", "limit"), None
)


def of_gate(row: dict[str, Any]) -> dict[str, Any]:
    """What a row of a command says of a gate."""
    return {name: row[name] for name in NO_GATE}


def test_a_gate_goes_its_way(shared_server: ServerProcess, run: str) -> None:
    """The job gets every field, and the number that it gives the gate comes into the log."""
    path = f"/api/runs/{run}/commands"
    with FakeProbe(shared_server, hello(run)) as probe:
        answer = shared_server.post(path, GATE)
        assert answer.status_code == 202
        asked = answer.json()
        assert probe.until_command(1) == {"type": "command", "id": 1, "target": None, **GATE}
        assert (asked["kind"], asked["target"], asked["state"]) == ("gate", "output:a", "requested")
        assert of_gate(asked) == {name: GATE[name] for name in NO_GATE}
        probe.report(1, 1, "delivered")
        probe.report(2, 1, "applied", step=31, parameters=[1, 0], gate=3)
        probe.report(3, 1, "verified")
        probe.until_acked(3)
        shared_server.post(path, {"kind": "ungate", "gate": 3})
        assert probe.until_command(2) == {
            "type": "command",
            "id": 2,
            "kind": "ungate",
            "target": None,
            "gate": 3,
            "by": "api",
        }
    removal, done = shared_server.get(path)["commands"]
    assert (done["state"], done["step"], done["gate"]) == ("verified", 31, 3)
    assert (removal["target"], of_gate(removal)) == ("gate 3", {**NO_GATE, "gate": 3})


def test_defaults_make_a_gate_that_blocks_for_good(shared_server: ServerProcess, run: str) -> None:
    """A site alone is enough, and another kind of command says nothing of gates."""
    path = f"/api/runs/{run}/commands"
    with FakeProbe(shared_server, hello(run)) as probe:
        shared_server.post(path, {"kind": "gate", "site": "input:"})
        command = probe.until_command(1)
        frozen = shared_server.post(path, {"kind": "freeze", "target": "a"}).json()
        assert set(probe.until_command(2)) == {
            *("type", "id", "kind", "target", "mode", "hold_stats", "reset_state", "limit", "by")
        }
    assert (command["when"], command["action"], command["paused"]) == ("True", "block", False)
    assert (command["factor"], command["max_norm"], command["hold"]) == (None, None, 0)
    assert of_gate(frozen) == NO_GATE


def test_commands_of_gates_are_sent_again_after_a_crash(server: ServerProcess, run: str) -> None:
    """What was not applied reaches the job in order, with every field."""
    path = f"/api/runs/{run}/commands"
    edit = {**GATE, "gate": 7, "when": "closed or loss > 2", "action": "clip", "factor": None}
    edit["max_norm"] = 2.5
    with FakeProbe(server, hello(run)) as probe:
        for body in (GATE, edit, {"kind": "ungate", "gate": 7}):
            server.post(path, body)
        probe.report(1, 1, "applied", gate=7)
        probe.until_acked(1)
    server.kill()
    server.restart()
    with FakeProbe(server, hello(run)) as probe:
        probe.until_command(3)
        second, third = probe.commands
    assert second == {"type": "command", "id": 2, "target": None, **edit}
    assert (third["kind"], third["gate"]) == ("ungate", 7)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"site": "weight:a"},
            "give `param:NAME`, `output:MODULE`, `input:MODULE` or `site:LABEL`",
        ),
        ({"site": "encoder"}, "'encoder' is no site"),
        ({"site": "param:"}, "'param:' names nothing"),
        ({"site": "site:"}, "'site:' names nothing"),
        ({"factor": None}, "a gate that scales wants `factor`"),
        ({"action": "clip"}, "a gate that clips wants `max_norm`, a number above 0"),
        ({"action": "clip", "factor": None, "max_norm": 0}, "greater than 0"),
        ({"action": "clip", "factor": None, "max_norm": -1}, "greater than 0"),
        ({"action": "clip", "max_norm": 1}, "`factor` is for a gate that scales"),
        ({"max_norm": 1}, "`max_norm` is for a gate that clips"),
        ({"action": "stop", "factor": None}, "'block', 'scale' or 'clip'"),
        ({"hold": -1}, "greater than or equal to 0"),
        ({"hold": 1.5}, "valid integer"),
        ({"when": "1" * 1001}, "at most 1000 characters"),
        ({"when": "a\0"}, "match pattern"),
        ({"gate": -1}, "greater than or equal to 0"),
        ({"target": "a"}, "Extra inputs are not permitted"),
        ({"kind": "explode"}, "'freeze', 'thaw', 'gate', 'ungate'"),
        ({"kind": "ungate"}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_gate_is_a_422(
    shared_server: ServerProcess, run: str, change: dict[str, object], sentence: str
) -> None:
    """The sentence says what to give, and nothing is stored."""
    path = f"/api/runs/{run}/commands"
    with FakeProbe(shared_server, hello(run)):
        answer = shared_server.post(path, {**GATE, **change})
        assert answer.status_code == 422
        assert any(sentence in fault["msg"] for fault in answer.json()["detail"])
        assert shared_server.get(path)["commands"] == []


def test_the_job_says_whether_condition_and_site_are_good(
    shared_server: ServerProcess, run: str
) -> None:
    """The server passes on a condition that is none, and the job's reason is in the log."""
    path = f"/api/runs/{run}/commands"
    with FakeProbe(shared_server, hello(run)) as probe:
        wrong = {"kind": "gate", "site": "output:nothing", "when": "norm >> __import__('os')"}
        assert shared_server.post(path, wrong).status_code == 202
        assert probe.until_command(1)["when"] == wrong["when"]
        probe.report(1, 1, "rejected", reason="`>>` is no operator of conditions, at column 5")
        probe.until_acked(1)
    row = shared_server.get(f"{path}/1")
    assert (row["state"], row["gate"]) == ("rejected", None)
    assert "at column 5" in row["reason"]


def test_commands_made_in_python_enter_the_log(shared_server: ServerProcess, run: str) -> None:
    """With the fields of their kind, and the gate that they made or removed."""
    made = {name: GATE[name] for name in NO_GATE} | {"kind": "gate", "target": None, "local": 1}
    removed = {**made, "kind": "ungate", "site": None, "limit": None, "gate": 2, "local": 2}
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.report(1, None, "applied", step=8, **{**made, "gate": 2})
        probe.report(2, None, "verified", step=9, **{**made, "gate": 2})
        unnumbered = {**removed, "gate": None, "target": "gate 2"}
        probe.report(3, None, "delivered", **unnumbered)
        probe.report(4, None, "applied", step=11, **removed)
        probe.until_acked(4)
    last, first = shared_server.get(f"/api/runs/{run}/commands")["commands"]
    assert (first["kind"], first["target"], first["state"]) == ("gate", "output:a", "verified")
    assert of_gate(first) == {**{name: GATE[name] for name in NO_GATE}, "gate": 2}
    assert (last["kind"], last["target"], last["by"]) == ("ungate", "gate 2", "python")
    assert of_gate(last) == {**NO_GATE, "gate": 2}


def test_gates_are_kept_over_a_crash(server: ServerProcess, run: str) -> None:
    """As the job last told of them, in its order, with names for its parameters."""
    path = f"/api/runs/{run}/gates"
    names = [f"p{place}" for place in range(30)]
    with FakeProbe(server, hello(run, names)) as probe:
        assert server.get(path) == {"gates": []}
        probe.gates(1, gate(1), gate(2))
        probe.gates(2, gate(4, parameters=list(range(1, 30))), gate(2, command=None, paused=True))
        probe.until_acked(2)
    server.kill()
    server.restart()
    first, second = server.get(path)["gates"]
    assert first == {**gate(4), "parameters": names[1:21], "count": 29}
    assert second == {**gate(2), "command": None, "paused": True, "parameters": ["p0", "p1"]} | {
        "count": 2
    }
    with FakeProbe(server, hello(run, names)) as probe:
        assert len(server.get(path)["gates"]) == 2
        probe.gates(3)
        probe.until_acked(3)
        assert server.get(path) == {"gates": []}


def test_norms_that_are_not_finite_are_null(shared_server: ServerProcess, run: str) -> None:
    """JSON has no infinity, and the frame that holds one is stored all the same."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.gates(1, gate(1, norm_in=float("inf"), norm_out=float("nan")))
        probe.until_acked(1)
    (row,) = shared_server.get(f"/api/runs/{run}/gates")["gates"]
    assert (row["norm_in"], row["norm_out"]) == (None, None)


def test_a_gated_parameter_has_its_gate(shared_server: ServerProcess, run: str) -> None:
    """Only where the latest sample says that it is gated, and then the gate that was made first."""
    path = f"/api/runs/{run}/parameters"
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.gates(1, gate(3, parameters=[0, 1]), gate(5, parameters=[0, 1]))
        probe.sample(2, [float("nan"), 1], [GATED, PRESENT])
        probe.until_acked(2)
    rows = shared_server.get(path)["parameters"]
    assert [(row["state"], row["gate"]) for row in rows] == [("gated", 3), ("present", None)]


@pytest.mark.parametrize(
    ("gates", "sentence"),
    [
        ([gate(1, parameters=[2])], "Index 2 is outside the parameter table of 2 rows"),
        ([gate(1, action="stop")], "action"),
        ([gate(place) for place in range(1001)], "at most 1000 items"),
    ],
)
def test_a_wrong_frame_of_gates_ends_the_connection(
    shared_server: ServerProcess, run: str, gates: list[dict[str, Any]], sentence: str
) -> None:
    """And what was told before stays."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.gates(1, gate(1))
        probe.until_acked(1)
        probe.gates(2, *gates)
        code, last = probe.until_closed()
    assert code == 1008
    assert last is not None
    assert sentence in last["message"]
    assert [row["id"] for row in shared_server.get(f"/api/runs/{run}/gates")["gates"]] == [1]


def test_browsers_are_told_of_gates(shared_server: ServerProcess, run: str) -> None:
    """At connect, and again with each change, in the rows of the REST API."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.gates(1, gate(1))
        probe.until_acked(1)
        with connect(f"{shared_server.ws_url}/api/runs/{run}/live") as browser:
            told: list[Any] = []

            def latest() -> Any:
                message = json.loads(browser.recv(20))
                if message["type"] == "gates":
                    told.append(message["gates"])
                return told[-1] if told else []

            wait_until(latest, bool)
            assert told == [shared_server.get(f"/api/runs/{run}/gates")["gates"]]
            probe.gates(2, gate(1, closed=False, steps=41))
            (row,) = wait_until(latest, lambda rows: rows[0]["steps"] == 41)
            assert row["closed"] is False


def test_unknown_runs_have_no_gates(shared_server: ServerProcess) -> None:
    """A 404 with a sentence, not an empty list."""
    answer = shared_server.page("/api/runs/nosuchrun/gates")
    assert answer.status_code == 404
    assert "no run 'nosuchrun'" in answer.json()["detail"]
