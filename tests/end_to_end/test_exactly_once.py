"""A command of a server that is killed is applied by the real job exactly once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.serving import ServerProcess
from tests.support.training import TrainingJob
from tests.support.waiting import wait_until

TARGET = "encoder.0.weight"


@pytest.fixture
def job(server: ServerProcess, tmp_path: Path) -> Iterator[TrainingJob]:
    """A real training job that the server watches, past its tenth step."""
    with TrainingJob(tmp_path / "job", server.url) as training:
        training.wait_for_step(10)
        training.wait_until_known(server)
        yield training


def ask(server: ServerProcess, job: TrainingJob, kind: str) -> str:
    """Ask for a freeze or thaw; return the command's path."""
    answer = server.post(f"/api/runs/{job.run}/commands", {"kind": kind, "target": TARGET})
    assert answer.status_code == 202, answer.text
    return f"/api/runs/{job.run}/commands/{answer.json()['id']}"


def reach(server: ServerProcess, path: str, state: str) -> Any:
    """Wait until a command has reached a state; return its row."""
    return wait_until(
        lambda: server.get(path), lambda row: row["state"] == state, 60, f"{path} is {state}"
    )


def live(server: ServerProcess, job: TrainingJob) -> None:
    """Wait until the server has heard of the job again."""
    wait_until(
        lambda: server.get(f"/api/runs/{job.run}"), lambda run: run["status"] == "live", 60, "live"
    )


def times_frozen(job: TrainingJob) -> list[int]:
    """The steps after which the parameter was frozen and had not been before."""
    frozen = [TARGET in names for names in job.frozen()]
    return [step + 2 for step, (a, b) in enumerate(pairwise(frozen)) if b > a]


@pytest.mark.exhaustive(1)
@pytest.mark.parametrize("heard", [True, False], ids=["delivered", "requested"])
def test_a_server_killed_before_a_command_is_applied(
    server: ServerProcess, job: TrainingJob, heard: bool
) -> None:
    """Killed once the job has heard of it, or before: one freeze, at the step that is reported."""
    if heard:
        job.hold()
        freeze = ask(server, job, "freeze")
        reach(server, freeze, "delivered")
    else:
        job.signal(signal.SIGSTOP)
        freeze = ask(server, job, "freeze")
        assert server.get(freeze)["state"] == "requested"
    server.kill()
    server.restart()
    if heard:
        live(server, job)
        job.release()
    else:
        job.signal(signal.SIGCONT)
    applied = reach(server, freeze, "verified")["step"]
    assert times_frozen(job) == [applied]

    # Undone, and the server killed again: the freeze is history and must not come back.
    thaw = ask(server, job, "thaw")
    reach(server, thaw, "verified")
    for _ in range(2):
        server.kill()
        server.restart()
        live(server, job)
        job.wait_for_more(20)
    assert times_frozen(job) == [applied]
    assert TARGET not in job.frozen()[-1]
    assert server.get(freeze)["step"] == applied
    assert job.stop() == 0, job.output


def test_a_server_killed_after_the_job_applied_but_before_it_was_told(
    server: ServerProcess, job: TrainingJob
) -> None:
    """The report waits in the job for the next server, which does not send the command again."""
    job.hold()
    freeze = ask(server, job, "freeze")
    reach(server, freeze, "delivered")
    server.kill()
    job.release()
    job.wait_for_more(20)
    applied = times_frozen(job)
    assert len(applied) == 1
    server.restart()
    assert reach(server, freeze, "verified")["step"] == applied[0]
    job.wait_for_more(20)
    assert times_frozen(job) == applied
    assert job.stop() == 0, job.output
