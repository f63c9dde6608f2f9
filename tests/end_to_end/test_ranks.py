"""A distributed job is steered over HTTP: all ranks at the same step, and never apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.ranks import RankedJob
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for, wait_until


def ask(server: ServerProcess, job: RankedJob, state: str, **body: Any) -> Any:
    """Ask for a change and wait until the job reports the state; return the command's row."""
    answer = server.post(f"/api/runs/{job.run}/commands", body)
    assert answer.status_code == 202, answer.text
    path = f"/api/runs/{job.run}/commands/{answer.json()['id']}"
    return wait_until(
        lambda: server.get(path), lambda row: row["state"] == state, 60, f"{body} {state}"
    )


def assert_together(job: RankedJob) -> list[Any]:
    """Every rank had the same bits and the same parameters frozen after every step."""
    steps = min(len(job.notes(rank)) for rank in range(job.size))
    first = job.notes(0)[:steps]
    for rank in range(1, job.size):
        assert job.notes(rank)[:steps] == first
    return first


def moving(notes: list[Any]) -> set[str]:
    """The parameters whose bits differ between any two of these steps."""
    names = notes[0]["digests"]
    return {name for name in names if len({note["digests"][name] for note in notes}) > 1}


ALL = {"0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"}


@pytest.mark.exhaustive(1)
@pytest.mark.parametrize(
    ("size", "options"),
    [(2, ()), (2, ("--unused",)), (3, ("--no-sync",))],
    ids=["2 ranks", "2 ranks, find_unused_parameters", "3 ranks, no_sync"],
)
def test_ranks_freeze_and_thaw_at_the_same_step(
    server: ServerProcess, tmp_path: Path, size: int, options: tuple[str, ...]
) -> None:
    """Freeze, thaw what was frozen when DDP was built, freeze everything, thaw everything."""
    with RankedJob(tmp_path / "job", server.url, size, *options) as job:
        job.wait_for_more(5)
        path = f"/api/runs/{job.run}"
        wait_for(lambda: server.page(path).status_code == 200, 30, "the server knows the run")
        assert server.get(path)["ranks"] == size
        assert moving(assert_together(job)) == ALL - {"0.weight", "0.bias"}

        frozen = ask(server, job, "verified", kind="freeze", target="2")
        assert f"on all {size} ranks" in frozen["detail"]
        end = job.wait_for_more(10)
        held = assert_together(job)[frozen["step"] - 1 : end]
        assert moving(held) == {"4.weight", "4.bias"}

        # Parameters that DDP has never reduced.
        thawed = ask(server, job, "verified", kind="thaw", target="0")
        end = job.wait_for_more(10)
        trained = assert_together(job)[thawed["step"] - 1 : end]
        assert moving(trained) == ALL - {"2.weight", "2.bias"}

        everything = ask(server, job, "verified", kind="freeze", target="*")
        end = job.wait_for_more(10)
        assert moving(assert_together(job)[everything["step"] - 1 : end]) == set()

        again = ask(server, job, "verified", kind="thaw", target="*")
        end = job.wait_for_more(10)
        assert moving(assert_together(job)[again["step"] - 1 : end]) == ALL
        assert job.stop() == [0] * size, job.output
        assert_together(job)


def test_a_server_that_is_gone_hangs_no_rank(server: ServerProcess, tmp_path: Path) -> None:
    """Killed before a command is applied: the ranks train on, and apply it when it is back."""
    with RankedJob(tmp_path / "job", server.url, 2) as job:
        job.wait_for_more(5)
        path = f"/api/runs/{job.run}"
        wait_for(lambda: server.page(path).status_code == 200, 30, "the server knows the run")
        answer = server.post(f"{path}/commands", {"kind": "freeze", "target": "2"})
        server.kill()
        job.wait_for_more(30)
        server.restart()
        command = f"{path}/commands/{answer.json()['id']}"
        row = wait_until(lambda: server.get(command), lambda row: row["state"] == "verified", 60)
        notes = assert_together(job)
        frozen = ["2.weight" in note["frozen"] for note in notes]
        assert frozen == [step >= row["step"] for step in range(1, len(notes) + 1)]
        assert job.stop() == [0, 0], job.output


@pytest.mark.exhaustive(1)
@pytest.mark.parametrize("limit", [{"steps": 20}, {"seconds": 0.5}], ids=["steps", "seconds"])
def test_ranks_undo_at_the_same_step_what_has_a_limit(
    server: ServerProcess, tmp_path: Path, limit: dict[str, float]
) -> None:
    """A freeze and a gate, whichever rank's clock and count says that they are over."""
    with RankedJob(tmp_path / "job", server.url, 2) as job:
        job.wait_for_more(5)
        wait_for(
            lambda: server.page(f"/api/runs/{job.run}").status_code == 200, 30, "the run is known"
        )
        ask(server, job, "verified", kind="freeze", target="2", limit=limit)
        ask(server, job, "verified", kind="gate", site="param:4.weight", limit=limit)

        def undone() -> list[Any]:
            rows = server.get(f"/api/runs/{job.run}/commands")["commands"]
            return [each for each in rows if each["by"].startswith("limit of command")]

        rows = wait_until(
            undone, lambda rows: [each["state"] for each in rows] == ["verified"] * 2, 60
        )
        assert {each["kind"] for each in rows} == {"thaw", "ungate"}
        job.wait_for_more(5)
        notes = assert_together(job)
        assert moving(notes[-4:]) == ALL - {"0.weight", "0.bias"}
        assert any("2.weight" in note["frozen"] for note in notes)
