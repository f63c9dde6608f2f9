"""The whole path: a real job, a real server, and a change that the job obeys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.serving import ServerProcess
from tests.support.training import TrainingJob
from tests.support.waiting import wait_for, wait_until


@pytest.fixture
def job(server: ServerProcess, tmp_path: Path) -> Iterator[TrainingJob]:
    """A real training job that the server watches, past its tenth step."""
    with TrainingJob(tmp_path / "job", server.url) as training:
        training.wait_for_step(10)
        training.wait_until_known(server)
        yield training


def command(server: ServerProcess, job: TrainingJob, state: str, **body: Any) -> dict[str, Any]:
    """Ask for a change over HTTP and wait until the job reports the state."""
    answer = server.post(f"/api/runs/{job.run}/commands", body)
    assert answer.status_code == 202, answer.text
    assert answer.json()["state"] == "requested"
    path = f"/api/runs/{job.run}/commands/{answer.json()['id']}"
    return wait_until(
        lambda: server.get(path), lambda row: row["state"] == state, message=f"{body} {state}"
    )


def moving(history: list[dict[str, str]]) -> set[str]:
    """The parameters whose bits differ between any two of these steps."""
    return {name for name in history[0] if len({step[name] for step in history}) > 1}


def test_a_freeze_over_http_stops_the_bytes_and_a_thaw_moves_them_again(
    shared_server: ServerProcess, shared_job: TrainingJob
) -> None:
    """From the step of applying the frozen parameter keeps its bits, the others move."""
    everything = set(shared_job.history()[0])
    start = shared_job.step
    shared_job.wait_for_more(10)
    trained = {name for name in everything if not name.startswith("unused.")}

    frozen = command(
        shared_server, shared_job, "verified", kind="freeze", target="encoder.0.weight"
    )
    assert frozen["parameters"] == ["encoder.0.weight"]
    assert list(frozen["times"]) == ["requested", "delivered", "applied", "verified"]
    end = shared_job.wait_for_more(30)
    held = shared_job.history()[frozen["step"] - 1 : end]
    assert len(held) > 30
    assert moving(held) == trained - {"encoder.0.weight"}
    before = shared_job.history()[start : frozen["step"]]
    assert moving(before) == trained

    thawed = command(shared_server, shared_job, "verified", kind="thaw", target="encoder.0.weight")
    end = shared_job.wait_for_more(30)
    assert moving(shared_job.history()[frozen["step"] - 1 : thawed["step"]]) == trained - {
        "encoder.0.weight"
    }
    assert moving(shared_job.history()[thawed["step"] - 1 : end]) == trained


def test_states_and_figures_of_a_real_job(
    shared_server: ServerProcess, shared_job: TrainingJob
) -> None:
    """The table tells trained, frozen and never used parameters apart."""
    command(shared_server, shared_job, "verified", kind="freeze", target="head")
    path = f"/api/runs/{shared_job.run}/parameters"

    def rows() -> dict[str, Any]:
        return {row["name"]: row for row in shared_server.get(path)["parameters"]}

    table = wait_until(rows, lambda table: table["head.weight"]["state"] == "frozen")
    assert {name: row["state"] for name, row in table.items()} == {
        "encoder.0.weight": "present",
        "encoder.0.bias": "present",
        "encoder.2.weight": "present",
        "encoder.2.bias": "present",
        "head.weight": "frozen",
        "head.bias": "frozen",
        "unused.weight": "absent",
        "unused.bias": "absent",
    }
    assert table["head.weight"]["frozen"]["mode"] == "grad"
    assert table["encoder.0.weight"]["grad_norm"] > table["encoder.0.weight"]["grad_max"] > 0
    assert table["encoder.0.weight"]["shape"] == [16, 6]
    assert table["unused.weight"]["grad_norm"] is None


@pytest.mark.parametrize(
    ("target", "reason"),
    [("encodr", "did you mean 'encoder'"), ("<b>", "matches no parameter")],
)
def test_a_target_that_matches_nothing_is_rejected_and_the_job_goes_on(
    shared_server: ServerProcess, shared_job: TrainingJob, target: str, reason: str
) -> None:
    """The command ends as rejected, with the nearest names, and training continues unchanged."""
    row = command(shared_server, shared_job, "rejected", kind="freeze", target=target)
    assert reason in row["reason"]
    end = shared_job.wait_for_more(5)
    assert len(moving(shared_job.history()[end - 5 :])) == 6


def test_freezing_everything_never_stops_the_job(
    shared_server: ServerProcess, shared_job: TrainingJob
) -> None:
    """With the whole model frozen the user's backward goes on, no bit moves, and a thaw works."""
    frozen = command(shared_server, shared_job, "verified", kind="freeze", target="*")
    end = shared_job.wait_for_more(20)
    assert moving(shared_job.history()[frozen["step"] - 1 : end]) == set()
    command(shared_server, shared_job, "verified", kind="thaw", target="*")
    assert not shared_job.ended


def test_the_audit_log_names_who_asked(
    shared_server: ServerProcess, shared_job: TrainingJob
) -> None:
    """The log has every command with its author, newest first."""
    first = command(
        shared_server, shared_job, "verified", kind="freeze", target="head", by="browser"
    )["id"]
    command(shared_server, shared_job, "rejected", kind="freeze", target="nothing")
    rows = shared_server.get(f"/api/runs/{shared_job.run}/commands")["commands"][:2]
    assert [(row["id"], row["target"], row["by"]) for row in rows] == [
        (first + 1, "nothing", "api"),
        (first, "head", "browser"),
    ]


def test_a_killed_server_never_stops_the_job_and_the_run_goes_on_with_its_history(
    server: ServerProcess, job: TrainingJob
) -> None:
    """After SIGKILL and a restart: the same id, and every step's sample exactly once."""
    command(server, job, "verified", kind="freeze", target="encoder.0")
    path = f"/api/runs/{job.run}"
    for _ in range(2):
        server.kill()
        job.wait_for_more(40)
        server.restart()
        wait_for(lambda: server.get(path)["status"] == "live", 30, "the run is live again")
    row = command(server, job, "verified", kind="thaw", target="encoder.0")
    last = row["step"]
    assert job.stop() == 0, job.output
    assert "no dashboard" in job.output

    wait_for(lambda: server.get(path)["status"] == "finished", 30, "the run has finished")
    assert [run["id"] for run in server.get("/api/runs")["runs"]] == [job.run]
    series = server.get(f"{path}/series", parameter="head.weight", points=10_000)
    assert series["steps"] == list(range(1, job.step + 1))
    frozen = server.get(f"{path}/series", parameter="encoder.0.weight", points=10_000)
    states = dict(zip(frozen["steps"], frozen["states"], strict=True))
    assert states[last] == "frozen"
    assert states[last + 1] == "present"
    assert server.get(path)["dropped"] == 0


def test_commands_given_while_the_job_is_away_are_applied_once_it_is_back(
    server: ServerProcess, job: TrainingJob
) -> None:
    """A command requested just before the server dies is applied after its restart, once."""
    answer = server.post(
        f"/api/runs/{job.run}/commands", {"kind": "freeze", "target": "head", "by": "rest"}
    )
    server.kill()
    job.wait_for_more(5)
    server.restart()
    path = f"/api/runs/{job.run}/commands/{answer.json()['id']}"
    wait_for(lambda: server.get(path)["state"] == "verified", 30, "the command is verified")
    rows = server.get(f"/api/runs/{job.run}/commands")["commands"]
    assert len(rows) == 1


def test_a_job_started_without_a_server_says_so_once_and_connects_later(
    server: ServerProcess, tmp_path: Path
) -> None:
    """Without a dashboard the job trains on; when one appears it gets the samples from step 1."""
    server.kill()
    with TrainingJob(tmp_path / "job", server.url) as job:
        job.wait_for_step(20)
        server.restart()
        path = f"/api/runs/{job.run}/series"
        wait_for(lambda: server.get("/api/runs")["runs"], 30, "the run appears")
        job.wait_for_more(5)
        assert job.stop() == 0
        assert job.output.count("no dashboard at") == 1
        assert "gradgate serve" in job.output
        series = wait_until(
            lambda: server.get(path, parameter="head.bias", points=10_000),
            lambda series: len(series["steps"]) == job.step,
        )
        assert series["steps"][0] == 1


def test_a_vanished_job_is_lost(tmp_path: Path) -> None:
    """A job killed in mid-run turns from live to lost, and what it sent stays."""
    with (
        ServerProcess(tmp_path / "data", "--lost-after", "1.5") as server,
        TrainingJob(tmp_path / "job", server.url) as job,
    ):
        job.wait_for_step(10)
        job.wait_until_known(server)
        path = f"/api/runs/{job.run}"
        wait_for(lambda: server.get(path)["status"] == "live")
        job.kill()
        wait_for(lambda: server.get(path)["status"] == "lost", 20, "the run is lost")
        assert server.get(path)["samples"] > 0


def test_two_jobs_of_one_name_are_two_runs(shared_server: ServerProcess, tmp_path: Path) -> None:
    """Both train, each with a number, and no word of it; once one has ended its name is free."""
    with (
        TrainingJob(tmp_path / "one", shared_server.url, "--name", "twin") as one,
        TrainingJob(tmp_path / "two", shared_server.url, "--name", "twin") as two,
    ):
        one.wait_for_step(3)
        two.wait_for_step(3)
        one.wait_until_known(shared_server)
        two.wait_until_known(shared_server)
        rows = [shared_server.get(f"/api/runs/{job.run}") for job in (one, two)]
        assert {(row["name"], row["number"]) for row in rows} == {("twin", 1), ("twin", 2)}
        assert shared_server.page("/api/runs/twin").status_code == 409
        assert one.stop() == 0
        wait_for(lambda: shared_server.page("/api/runs/twin").status_code == 200)
        assert shared_server.get("/api/runs/twin")["id"] == two.run
        assert two.stop() == 0
        assert "twin" not in one.output + two.output


@pytest.mark.exhaustive(1)
@pytest.mark.parametrize("model", ["hostile", "empty"])
def test_odd_models_are_watched_without_harm(
    shared_server: ServerProcess, tmp_path: Path, model: str
) -> None:
    """Names that are markup are plain text; a model without parameters is a run without rows."""
    with TrainingJob(tmp_path / "job", shared_server.url, "--model", model) as job:
        job.wait_for_step(5)
        path = f"/api/runs/{job.run}"
        job.wait_until_known(shared_server)
        wait_for(lambda: shared_server.get(path)["step"] >= 5)
        names = [row["name"] for row in shared_server.get(f"{path}/parameters")["parameters"]]
        if model == "hostile":
            assert names == ["<script>alert(1)</script>", "long" * 100]
            command(shared_server, job, "verified", kind="freeze", target=names[0])
        else:
            assert names == []
            row = command(shared_server, job, "rejected", kind="freeze", target="*")
            assert "this run has no parameters" in row["reason"]
        assert job.stop() == 0
        assert ("has no parameters" in job.output) == (model == "empty")
