"""Gates over HTTP on a real job: made, seen to close, edited, paused and removed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.commanding import Terminal
from tests.support.serving import ServerProcess
from tests.support.training import TrainingJob
from tests.support.waiting import wait_until


@pytest.fixture
def server(shared_server: ServerProcess) -> ServerProcess:
    """No test here ends it."""
    return shared_server


@pytest.fixture
def job(shared_job: TrainingJob) -> TrainingJob:
    """Nor this, and each removes its gates."""
    return shared_job


def ask(server: ServerProcess, job: TrainingJob, state: str, **body: Any) -> Any:
    """Ask for something about a gate and wait until the job reports the state."""
    answer = server.post(f"/api/runs/{job.run}/commands", body)
    assert answer.status_code == 202, answer.text
    path = f"/api/runs/{job.run}/commands/{answer.json()['id']}"
    return wait_until(
        lambda: server.get(path), lambda row: row["state"] == state, 30, f"{body} {state}"
    )


def moving(history: list[dict[str, str]]) -> set[str]:
    """The parameters whose bits differ between any two of these steps."""
    return {name for name in history[0] if len({step[name] for step in history}) > 1}


ENCODER = {"encoder.0.weight", "encoder.0.bias", "encoder.2.weight", "encoder.2.bias"}
HEAD = {"head.weight", "head.bias"}


def test_a_gate_closes_is_edited_paused_and_removed(
    server: ServerProcess, job: TrainingJob
) -> None:
    """Closed, nothing upstream moves by a bit; open again, all of it does."""
    made = ask(server, job, "verified", kind="gate", site="output:encoder", when="loss > 0")
    assert made["gate"] == 1
    end = job.wait_for_more(20)
    assert moving(job.history()[made["step"] + 1 : end]) == HEAD
    gates = f"/api/runs/{job.run}/gates"
    (gate,) = wait_until(lambda: server.get(gates)["gates"], lambda rows: rows[0]["closed"])
    assert gate["closed_steps"] == gate["steps"] > 0
    assert (gate["norm_out"], set(gate["parameters"])) == (0.0, ENCODER)
    assert gate["norm_in"] > 0
    rows = server.get(f"/api/runs/{job.run}/parameters")["parameters"]
    assert {row["name"] for row in rows if row["state"] == "gated"} == ENCODER

    edited = ask(
        server, job, "verified", kind="gate", gate=1, site="output:encoder", when="loss < 0"
    )
    end = job.wait_for_more(20)
    assert moving(job.history()[edited["step"] + 1 : end]) == ENCODER | HEAD

    ask(server, job, "verified", kind="gate", gate=1, site="output:encoder", paused=True)
    removed = ask(server, job, "verified", kind="ungate", gate=1)
    end = job.wait_for_more(20)
    assert moving(job.history()[removed["step"] + 1 : end]) == ENCODER | HEAD
    assert server.get(gates)["gates"] == []


def test_a_gate_is_changed_from_the_terminal(server: ServerProcess, job: TrainingJob) -> None:
    """Paused, resumed and edited it keeps its number, and the job does as it is told."""
    made = ask(server, job, "verified", kind="gate", site="output:encoder", when="loss > 0", hold=2)
    number, terminal = str(made["gate"]), Terminal()
    for arguments, moved in (
        (("--pause", number), ENCODER | HEAD),
        (("--resume", number), HEAD),
        (("--edit", number, "--action", "scale", "--factor", "0.5"), ENCODER | HEAD),
    ):
        ended = terminal.run("gate", job.run, *arguments, "--server", server.url)
        assert ended.exit_code == 0, ended.stderr
        since = server.get(f"/api/runs/{job.run}/commands")["commands"][0]["step"]
        end = job.wait_for_more(20)
        assert moving(job.history()[since + 1 : end]) == moved
    (gate,) = server.get(f"/api/runs/{job.run}/gates")["gates"]
    assert (gate["id"], gate["when"], gate["hold"]) == (made["gate"], "loss > 0", 2)
    assert (gate["action"], gate["factor"], gate["by"]) == ("scale", 0.5, "cli")
    ended = terminal.run("ungate", job.run, number, "--server", server.url)
    assert ended.exit_code == 0, ended.stderr


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"site": "output:encodr"}, "did you mean 'encoder'"),
        ({"site": "param:head.weight", "when": "os.system('x') > 0"}, "not allowed"),
        ({"site": "elsewhere"}, "no site"),
    ],
)
def test_a_bad_gate_is_rejected_with_a_reason_and_the_job_goes_on(
    server: ServerProcess, job: TrainingJob, body: dict[str, str], reason: str
) -> None:
    """Whether it is the server or the job that says so, it is a sentence, and nothing changes."""
    answer = server.post(f"/api/runs/{job.run}/commands", {"kind": "gate", **body})
    if answer.status_code == 202:
        path = f"/api/runs/{job.run}/commands/{answer.json()['id']}"
        row = wait_until(lambda: server.get(path), lambda row: row["state"] == "rejected", 30)
        said = row["reason"]
    else:
        assert answer.status_code == 422
        said = answer.text
    assert reason in said
    end = job.wait_for_more(5)
    assert moving(job.history()[end - 5 :]) == ENCODER | HEAD


def test_a_gate_is_tried_on_what_was_recorded(server: ServerProcess, job: TrainingJob) -> None:
    """The steps at which it would have been closed are those with a norm above the threshold."""
    path = f"/api/runs/{job.run}"
    series = wait_until(
        lambda: server.get(f"{path}/series", parameter="head.weight", points=10_000),
        lambda found: len(found["values"]) >= 10,
    )
    threshold = sorted(series["values"][:10])[5]
    body = {
        "site": "param:head.weight",
        "when": f"norm > {threshold!r} and step <= 10",
        "samples": 10_000,
    }
    answer = server.post(f"{path}/trial", body)
    assert answer.status_code == 200, answer.text
    above = [
        step
        for step, value in zip(series["steps"], series["values"], strict=True)
        if value > threshold and step <= 10
    ]
    assert answer.json()["closed"] == above
    bad = server.post(f"{path}/trial", {"site": "param:head.weight", "when": "norm >"}).json()
    assert bad["error"]["column"] == 6
