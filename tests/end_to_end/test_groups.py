"""Several processes that train without a process group: the trials of a search."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.serving import ServerProcess
from tests.support.training import TrainingJob
from tests.support.waiting import wait_until


def test_a_trial_of_a_search_is_steered_by_its_name_alone(
    shared_server: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script is the same in each; the environment names the trial and the search."""
    monkeypatch.setenv("GRADGATE_GROUP", "lr search")
    monkeypatch.setenv("GRADGATE_NAME", "lr=0.1")
    with TrainingJob(tmp_path / "1", shared_server.url) as one:
        monkeypatch.setenv("GRADGATE_NAME", "lr=0.01")
        with TrainingJob(tmp_path / "2", shared_server.url) as other:
            for job in (one, other):
                job.wait_until_known(shared_server)
            runs = shared_server.get("/api/runs", group="lr search")["runs"]
            assert {run["name"]: run["id"] for run in runs} == {
                "lr=0.1": one.run,
                "lr=0.01": other.run,
            }
            path = "/api/runs/lr=0.01/commands"
            answer = shared_server.post(path, {"kind": "freeze", "target": "head"})
            assert answer.status_code == 202, answer.text
            wait_until(
                lambda: shared_server.get(f"{path}/{answer.json()['id']}")["state"],
                lambda state: state == "verified",
            )
            assert set(other.frozen()[-1]) == {"head.weight", "head.bias"}
            one.wait_for_step(one.step + 1)
            assert not any(one.frozen())
