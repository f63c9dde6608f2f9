"""Clocks that are set, and processes that stand still: what was done is stored once, in order."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.proxying import Proxy
from tests.support.serving import ServerProcess
from tests.support.training import TrainingJob
from tests.support.waiting import wait_for, wait_until

TARGET = "encoder.0.weight"
HOUR = 3600.0
LOST_AFTER = 3.0


def ask(server: ServerProcess, job: TrainingJob, kind: str) -> str:
    """Ask for a freeze or thaw; return the command's path."""
    answer = server.post(f"/api/runs/{job.run}/commands", {"kind": kind, "target": TARGET})
    assert answer.status_code == 202, answer.text
    return f"/api/runs/{job.run}/commands/{answer.json()['id']}"


def verified(server: ServerProcess, path: str) -> Any:
    return wait_until(lambda: server.get(path), lambda row: row["state"] == "verified", 60, path)


def silences(server: ServerProcess, job: TrainingJob) -> list[str]:
    """The events by which the run was lost."""
    rows = server.get(f"/api/runs/{job.run}/events")["events"]
    return [row["sentence"] for row in rows if row["sentence"].startswith("Nothing is heard")]


def check(server: ServerProcess, job: TrainingJob, commands: list[str]) -> None:
    """End the job; each step is stored once, and each command was applied once, in its turn."""
    steps = [verified(server, path)["step"] for path in commands]
    assert job.stop() == 0, job.output
    frozen = [TARGET in names for names in job.frozen()]
    changes = [step for step, (a, b) in enumerate(pairwise([False, *frozen]), 1) if a is not b]
    assert changes == steps == sorted(steps)
    path = f"/api/runs/{job.run}"
    row = wait_until(lambda: server.get(path), lambda row: row["status"] == "finished", 30)
    assert row["samples"] == job.step
    series = server.get(f"{path}/series", parameter="head.bias", points=10_000)
    assert series["steps"] == list(range(1, job.step + 1))


def test_clocks_may_be_set(tmp_path: Path) -> None:
    """By hours, back and forth, in the job and in the server: nothing is lost, late or undone."""
    clock, data = tmp_path / "clock", tmp_path / "data"
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "clock").write_text(str(-5 * HOUR))
    options = ("--lost-after", str(LOST_AFTER))
    with (
        ServerProcess(data, *options, clock=clock) as server,
        TrainingJob(tmp_path / "job", server.url) as job,
    ):
        job.wait_until_known(server)
        commands = []
        for off in (7 * HOUR, -30 * HOUR):
            clock.write_text(str(off))
            (tmp_path / "job" / "clock").write_text(str(-off))
            commands.append(ask(server, job, "thaw" if len(commands) % 2 else "freeze"))
            verified(server, commands[-1])
            begun = time.monotonic()
            wait_for(lambda begun=begun: time.monotonic() - begun > LOST_AFTER / 2, 30)  # type: ignore[misc]
            job.wait_for_more(10)
        check(server, job, commands)
        assert silences(server, job) == []


def standing_still(
    process: Callable[[int], None], meanwhile: Callable[[], None] = lambda: None
) -> None:
    """Stop a process for longer than the server waits before a run is lost."""
    process(signal.SIGSTOP)
    meanwhile()
    begun = time.monotonic()
    wait_for(lambda: time.monotonic() - begun > 2 * LOST_AFTER, 60)
    process(signal.SIGCONT)


@pytest.mark.exhaustive(1)
@pytest.mark.parametrize("who", ["job", "server"])
def test_a_process_may_stand_still(who: str, tmp_path: Path) -> None:
    """A job that does is lost, and live again; a server that did calls no run lost for that."""
    with (
        ServerProcess(tmp_path / "data", "--lost-after", str(LOST_AFTER)) as server,
        TrainingJob(tmp_path / "job", server.url, "--patience", str(LOST_AFTER)) as job,
    ):
        job.wait_until_known(server)
        commands = [ask(server, job, "freeze")]
        verified(server, commands[0])
        standing_still(job.signal if who == "job" else server.signal)
        commands.append(ask(server, job, "thaw"))
        check(server, job, commands)
        assert len(silences(server, job)) == (1 if who == "job" else 0)


@pytest.mark.exhaustive(1)
@pytest.mark.parametrize("away", ["stopped", "cut off"])
def test_a_command_of_long_ago_is_not_applied(away: str, tmp_path: Path) -> None:
    """Whether the job stood still or the network was gone; who sees it first says so."""
    options = ("--lost-after", str(LOST_AFTER), "--expire-after", str(LOST_AFTER))
    with (
        ServerProcess(tmp_path / "data", *options) as server,
        Proxy(server.port) as proxy,
        TrainingJob(tmp_path / "job", proxy.url, "--patience", str(LOST_AFTER / 2)) as job,
    ):
        job.wait_until_known(server)
        late: list[str] = []

        def leave(number: int) -> None:
            if away == "stopped":
                job.signal(number)
            elif number == signal.SIGSTOP:
                proxy.stall()
            else:
                proxy.reset()
                proxy.flow()

        standing_still(leave, lambda: late.append(ask(server, job, "freeze")))
        (path,) = late
        row = wait_until(lambda: server.get(path), lambda row: row["state"] == "rejected", 60)
        by_job = "seconds before this job heard of it, and holds for 3 seconds"
        by_server = "Nothing was heard of the job for as long as a command holds"
        assert by_job in row["reason"] or by_server in row["reason"], row
        again = ask(server, job, "freeze")
        verified(server, again)
        check(server, job, [again, ask(server, job, "thaw")])
