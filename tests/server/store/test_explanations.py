"""Why gradients are missing, from the job to the REST API."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.support.probing import FakeProbe, explanation, hello, table_row
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_until

NOTHING: dict[str, Any] = {
    "step": None,
    "seconds": None,
    "ratio": None,
    "total": 0,
    "left_out": 0,
    "by": None,
    "command": None,
    "time": None,
    "explanations": [],
}


def of(run: str) -> str:
    """Where the explanations of a run are."""
    return f"/api/runs/{run}/explanations"


def known(server: ServerProcess, run: str, **query: str) -> list[str]:
    """The names of the explanations that there are."""
    return [each["name"] for each in server.get(of(run), **query)["explanations"]]


def causes(server: ServerProcess, run: str) -> list[str | None]:
    """The cause of each parameter."""
    return [row["cause"] for row in server.get(f"/api/runs/{run}/parameters")["parameters"]]


def test_explanations_cross_unchanged(shared_server: ServerProcess, run: str) -> None:
    """With path and source, the cost of the traced step, and when that was received."""
    stray = explanation(
        *(None, "layers[0].weight"), cause="not_in_optimizer", where=None, path=[], source=None
    )
    with FakeProbe(shared_server, hello(run)) as probe:
        assert shared_server.get(of(run)) == NOTHING
        assert causes(shared_server, run) == [None, None]
        before = time.time()
        probe.explanations(1, 7, explanation(1, "a.bias"), stray)
        probe.until_acked(1)
        after = time.time()
    answer = shared_server.get(of(run))
    assert before - 1 <= answer.pop("time") <= after + 1
    assert answer == {
        "step": 7,
        "seconds": 0.25,
        "ratio": 3.5,
        "total": 2,
        "left_out": 0,
        "by": "job",
        "command": None,
        "explanations": [explanation(1, "a.bias"), stray],
    }
    assert causes(shared_server, run) == [None, "detached"]
    assert shared_server.get(f"/api/runs/{run}")["step"] == 7


def test_a_traced_step_replaces_all_that_was_known(shared_server: ServerProcess, run: str) -> None:
    """What it does not list was healthy, and a step in which all was healthy leaves nothing."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.explanations(1, 7, explanation(), explanation(1, "a.bias"))
        probe.explanations(2, 9, explanation(1, "a.bias", cause="gated"), ratio=None, command=4)
        probe.until_acked(2)
        answer = shared_server.get(of(run))
        assert (answer["step"], answer["ratio"]) == (9, None)
        assert (answer["by"], answer["command"]) == ("command", 4)
        assert known(shared_server, run) == ["a.bias"]
        assert causes(shared_server, run) == [None, "gated"]
        probe.explanations(3, 11)
        probe.until_acked(3)
    answer = shared_server.get(of(run))
    assert (answer["step"], answer["total"], answer["explanations"]) == (11, 0, [])
    assert causes(shared_server, run) == [None, None]


def test_an_older_step_never_replaces_a_newer(shared_server: ServerProcess, run: str) -> None:
    """It is acknowledged as everything is, and nothing of it is taken."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.explanations(1, 9, explanation())
        probe.until_acked(1)
        probe.explanations(2, 8, explanation(1, "a.bias"))
        probe.until_acked(2)
        assert shared_server.get(of(run))["step"] == 9
        assert known(shared_server, run) == ["a.weight"]
        probe.explanations(3, 9, explanation(1, "a.bias"))
        probe.until_acked(3)
    assert known(shared_server, run) == ["a.bias"]


def test_what_is_acknowledged_outlives_a_crash(server: ServerProcess, run: str) -> None:
    """And a frame that comes again, with the number that it had, changes nothing."""
    with FakeProbe(server, hello(run)) as probe:
        probe.explanations(1, 7, explanation())
        probe.until_acked(1)
    before = server.get(of(run))
    server.kill()
    server.restart()
    assert server.get(of(run)) == before
    with FakeProbe(server, hello(run)) as probe:
        assert probe.welcome["last_seq"] == 1
        probe.explanations(1, 9, explanation(1, "a.bias"))
        probe.heartbeat(9)
        probe.explanations(2, 7, explanation(1, "a.bias", cause="unknown"))
        probe.until_acked(2)
    assert server.get(of(run))["explanations"] == [explanation(1, "a.bias", cause="unknown")]


@pytest.mark.parametrize(
    ("match", "names"),
    [
        ("*", ["enc.0.weight", "enc.0.bias", "enc.1.weight", "head.weight", "layers[0].weight"]),
        ("enc.0.weight", ["enc.0.weight"]),
        ("enc", ["enc.0.weight", "enc.0.bias", "enc.1.weight"]),
        ("enc.0", ["enc.0.weight", "enc.0.bias"]),
        ("enc.?.weight", ["enc.0.weight", "enc.1.weight"]),
        ("*.weight", ["enc.0.weight", "enc.1.weight", "head.weight", "layers[0].weight"]),
        ("tied.weight", ["head.weight"]),
        ("layers[0].weight", ["layers[0].weight"]),
        # A parameter of this very name is healthy, so the glob is not read as one.
        ("healthy", []),
        ("e", []),
    ],
)
def test_a_match_means_what_a_target_means(
    shared_server: ServerProcess, run: str, match: str, names: list[str]
) -> None:
    """A name, any name of a tied parameter, a module's path or a glob; the head stays of all."""
    table = ["enc.0.weight", "enc.0.bias", "enc.1.weight", "head.weight", "healthy"]
    greeting = hello(run, table)
    greeting["parameters"][3] = table_row("head.weight", names=["head.weight", "tied.weight"])
    told = [explanation(place, name) for place, name in enumerate(table[:4])]
    told.append(explanation(None, "layers[0].weight"))
    with FakeProbe(shared_server, greeting) as probe:
        probe.explanations(1, 7, *told)
        probe.until_acked(1)
    assert known(shared_server, run, match=match) == names
    assert shared_server.get(of(run), match=match)["total"] == 5


def test_an_exact_name_is_no_glob(shared_server: ServerProcess, run: str) -> None:
    """A name that is a glob, too, means itself alone."""
    with FakeProbe(shared_server, hello(run, ["h[ab]", "ha"])) as probe:
        probe.explanations(1, 7, explanation(1, "ha"))
        probe.until_acked(1)
    assert known(shared_server, run, match="h[ab]") == []
    assert known(shared_server, run, match="h[a]") == ["ha"]


def test_a_parameter_is_found_by_the_name_that_it_had(
    shared_server: ServerProcess, run: str
) -> None:
    """Also after it left the model, or got another name."""
    rows = [table_row("a.weight (removed at step 9)", removed=True), table_row("m.a.bias")]
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.explanations(1, 7, explanation(), explanation(1, "a.bias"))
        probe.send({"type": "parameters", "seq": 2, "parameters": rows})
        probe.until_acked(2)
    assert known(shared_server, run, match="a.weight") == ["a.weight"]
    assert known(shared_server, run, match="a") == ["a.weight", "a.bias"]
    assert known(shared_server, run, match="m") == ["a.bias"]


def test_what_the_job_did_not_list_is_counted(shared_server: ServerProcess, run: str) -> None:
    """2,000 are taken; `total` says how many there were, and is optional when all are listed."""
    names = [f"p{place}" for place in range(2000)]
    told = [explanation(place, name) for place, name in enumerate(names)]
    with FakeProbe(shared_server, hello(run, names)) as probe:
        probe.explanations(1, 7, *told, total=2345)
        probe.until_acked(1)
        answer = shared_server.get(of(run), match="p1")
        assert (answer["total"], answer["left_out"]) == (2345, 345)
        assert known(shared_server, run) == names
        probe.explanations(2, 8, *told[:2], total=None)
        probe.until_acked(2)
    answer = shared_server.get(of(run))
    assert (answer["total"], answer["left_out"]) == (2, 0)


SOURCE = explanation()["source"]
STATION = explanation()["path"][0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"parameter": 2}, "Index 2 is outside the parameter table of 2 rows"),
        ({"cause": "bad luck"}, "explanations.1.cause: Input should be 'frozen_by_script'"),
        ({"name": "x" * 577}, "explanations.1.name: String should have at most 576"),
        ({"where": "x" * 5001}, "explanations.1.where: String should have at most 5000"),
        ({"detail": "x" * 8193}, "explanations.1.detail: String should have at most 8192"),
        ({"advice": "a\0b"}, "explanations.1.advice: String should match pattern"),
        ({"path": [STATION] * 101}, "explanations.1.path: List should have at most 100"),
        ({"path": [{**STATION, "label": "x" * 1025}]}, "path.0.label: String should have at most"),
        ({"path": [{**STATION, "flow": "leaks"}]}, "path.0.flow: Input should be 'flows', 'stops'"),
        ({"path": [{**STATION, "kind": "hole"}]}, "path.0.kind: Input should be 'loss', 'module'"),
        ({"source": {**SOURCE, "lines": [""] * 8}}, "source.lines: List should have at most 7"),
        ({"source": {**SOURCE, "lines": ["x" * 201]}}, "source.lines.0: String should have at"),
        ({"source": {**SOURCE, "first": 42}}, "hold line `line`"),
        ({"source": {**SOURCE, "line": 45}}, "hold line `line`"),
    ],
)
def test_a_wrong_explanation_ends_the_connection(
    shared_server: ServerProcess, run: str, change: dict[str, Any], sentence: str
) -> None:
    """With a sentence that names the field, and what was told before stays."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.explanations(1, 7, explanation())
        probe.until_acked(1)
        probe.explanations(2, 8, explanation(), explanation(**change))
        code, last = probe.until_closed()
    assert code == 1008
    assert last is not None
    assert sentence in last["message"]
    assert shared_server.get(of(run))["step"] == 7


@pytest.mark.parametrize(
    ("count", "total", "sentence"),
    [(2001, 2001, "at most 2000 items"), (2, 1, "`total` counts at least those that are listed")],
)
def test_too_many_explanations_end_the_connection(
    shared_server: ServerProcess, run: str, count: int, total: int, sentence: str
) -> None:
    """And so does a count that cannot be."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.explanations(1, 8, *[explanation()] * count, total=total)
        code, last = probe.until_closed()
    assert code == 1008
    assert last is not None
    assert sentence in last["message"]


def test_an_explain_goes_its_way(shared_server: ServerProcess, run: str) -> None:
    """The job gets target and who asked; `applied` with the traced step is the end."""
    path = f"/api/runs/{run}/commands"
    with FakeProbe(shared_server, hello(run)) as probe:
        answer = shared_server.post(path, {"kind": "explain"})
        assert answer.status_code == 202
        asked = answer.json()
        assert (asked["kind"], asked["target"], asked["state"]) == ("explain", "*", "requested")
        assert (asked["mode"], asked["site"], asked["gate"]) == ("grad", None, None)
        assert probe.until_command(1) == {
            "type": "command",
            "id": 1,
            "kind": "explain",
            "target": "*",
            "by": "api",
        }
        probe.report(1, 1, "delivered")
        probe.explanations(2, 31, explanation(), command=1)
        probe.report(3, 1, "applied", step=31, parameters=[0])
        probe.until_acked(3)
        shared_server.post(path, {"kind": "explain", "target": "b.*", "by": "browser"})
        assert probe.until_command(2)["target"] == "b.*"
        probe.report(4, 2, "rejected", reason="'b.*' matches nothing")
        probe.until_acked(4)
    refused, done = shared_server.get(path)["commands"]
    assert (done["state"], done["step"], done["parameters"]) == ("applied", 31, ["a.weight"])
    assert list(done["times"]) == ["requested", "delivered", "applied"]
    assert (refused["state"], refused["by"]) == ("rejected", "browser")
    assert shared_server.get(of(run))["command"] == 1


def test_an_explain_is_sent_until_it_was_answered(server: ServerProcess, run: str) -> None:
    """After a crash it comes again, and after `applied` never; at the end it is rejected."""
    path = f"/api/runs/{run}/commands"
    with FakeProbe(server, hello(run)) as probe:
        server.post(path, {"kind": "explain"})
        server.post(path, {"kind": "explain", "target": "a"})
        probe.until_command(2)
        probe.report(1, 1, "applied", step=3)
        probe.until_acked(1)
    server.kill()
    server.restart()
    with FakeProbe(server, hello(run)) as probe:
        probe.until_command(2)
        assert [command["id"] for command in probe.commands] == [2]
        probe.bye(4)
        row = wait_until(lambda: server.get(f"{path}/2"), lambda row: row["state"] == "rejected")
    assert "finished before" in row["reason"]
    refused = server.post(path, {"kind": "explain"})
    assert refused.status_code == 409


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"target": ""}, "at least 1 character"),
        ({"target": "x" * 513}, "at most 512 characters"),
        ({"mode": "grad"}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_explain_is_a_422(
    shared_server: ServerProcess, run: str, body: dict[str, str], sentence: str
) -> None:
    """And nothing is stored."""
    path = f"/api/runs/{run}/commands"
    with FakeProbe(shared_server, hello(run)):
        answer = shared_server.post(path, {"kind": "explain", **body})
        assert answer.status_code == 422
        assert any(sentence in fault["msg"] for fault in answer.json()["detail"])
        assert shared_server.get(path)["commands"] == []


def test_an_explain_made_in_python_enters_the_log(shared_server: ServerProcess, run: str) -> None:
    """With its target, and `by` python."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.report(1, None, "applied", local=1, kind="explain", target="a", step=8)
        probe.until_acked(1)
    (row,) = shared_server.get(f"/api/runs/{run}/commands")["commands"]
    assert (row["kind"], row["target"], row["by"], row["step"]) == ("explain", "a", "python", 8)


def test_browsers_are_told_to_fetch(shared_server: ServerProcess, run: str) -> None:
    """Once a traced step is stored, and not for one that is older than what is known."""
    with (
        FakeProbe(shared_server, hello(run)) as probe,
        connect(f"{shared_server.ws_url}/api/runs/{run}/live") as browser,
    ):
        told: list[str] = []

        def next_kind() -> str:
            told.append(json.loads(browser.recv(20))["type"])
            return told[-1]

        wait_until(next_kind, lambda kind: kind == "alerts")
        assert "explanations" not in told
        probe.explanations(1, 7, explanation())
        wait_until(next_kind, lambda kind: kind == "explanations")
        assert known(shared_server, run) == ["a.weight"]
        told.clear()
        probe.explanations(2, 6)
        probe.gates(3)
        wait_until(next_kind, lambda kind: kind == "gates")
        assert "explanations" not in told


def test_unknown_runs_have_no_explanations(shared_server: ServerProcess) -> None:
    """A 404 with a sentence, not an empty list."""
    answer = shared_server.page("/api/runs/nosuchrun/explanations")
    assert answer.status_code == 404
    assert "no run 'nosuchrun'" in answer.json()["detail"]
