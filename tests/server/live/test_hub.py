"""A command is sent until the job applied it, and never after, however often the server is killed.

The job is played by a probe that reports as the protocol wants.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from gradgate.server.store.tables import metric_blocks
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess
from tests.support.storing import behind, blocked
from tests.support.waiting import wait_for

FREEZE = {"kind": "freeze", "target": "a.*", "mode": "no_grad", "hold_stats": True}


class Job:
    """Reports over whatever connection there is."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._seq = 0

    def connect(self, server: ServerProcess) -> FakeProbe:
        """A new connection."""
        return FakeProbe(server, hello(self._run))

    def report(self, probe: FakeProbe, number: int, state: str, **more: Any) -> None:
        """Report a state, and wait until the server has stored it."""
        self._seq += 1
        probe.report(self._seq, number, state, **more)
        probe.until_acked(self._seq)


def sent(probe: FakeProbe, seq: int) -> list[int]:
    """The commands that a new connection was sent before the server stored a frame of it."""
    probe.send({"type": "metrics", "seq": seq, "step": 1, "time": 1.0, "values": {"loss": 1}})
    probe.until_acked(seq)
    return [command["id"] for command in probe.commands]


@pytest.mark.parametrize("kills", [1, 2])
def test_killed_between_requested_and_delivered(
    server: ServerProcess, run: str, kills: int
) -> None:
    """What was asked for while no job was there, or not read by it, is sent after each restart."""
    job = Job(run)
    path = f"/api/runs/{run}/commands"
    with job.connect(server):
        pass
    number = server.post(path, FREEZE).json()["id"]
    for _ in range(kills):
        server.kill()
        server.restart()
        assert server.get(f"{path}/{number}")["state"] == "requested"
    with job.connect(server) as probe:
        command = probe.until_command(number)
        assert {name: command[name] for name in FREEZE} == FREEZE
        job.report(probe, number, "delivered")
        job.report(probe, number, "applied", step=3, parameters=[0, 1])
    assert_never_again(server, run, number)


@pytest.mark.parametrize("kills", [1, 2])
def test_killed_between_delivered_and_applied(server: ServerProcess, run: str, kills: int) -> None:
    """What was delivered is sent again after each restart, for the job to tell by its number."""
    job = Job(run)
    path = f"/api/runs/{run}/commands"
    with job.connect(server) as probe:
        number = server.post(path, FREEZE).json()["id"]
        probe.until_command(number)
        job.report(probe, number, "delivered")
        server.kill()
    for _ in range(kills):
        server.restart()
        with job.connect(server) as probe:
            assert probe.until_command(number)["id"] == number
            assert server.get(f"{path}/{number}")["state"] == "delivered"
            server.kill()
    server.restart()
    with job.connect(server) as probe:
        job.report(probe, number, "applied", step=3, parameters=[0, 1])
    assert_never_again(server, run, number)


def test_killed_before_it_stored_that_the_command_was_applied(
    server: ServerProcess, run: str
) -> None:
    """The report that was not acknowledged comes again, is stored, and a third one is ignored."""
    job = Job(run)
    path = f"/api/runs/{run}/commands"
    with job.connect(server) as probe:
        number = server.post(path, FREEZE).json()["id"]
        probe.until_command(number)
        job.report(probe, number, "delivered")
        with blocked(server.data):
            probe.report(2, number, "applied", step=3, time=5.5)
            until_stuck(server)
            server.kill()
    server.restart()
    with job.connect(server) as probe:
        assert probe.welcome["last_seq"] == 1
        assert probe.until_command(number)["id"] == number
        job.report(probe, number, "applied", step=3, time=5.5)
        server.kill()
    server.restart()
    with job.connect(server) as probe:
        assert probe.welcome["last_seq"] == 2
        probe.report(2, number, "applied", step=99, time=9.5)
    assert_never_again(server, run, number)
    row = server.get(f"{path}/{number}")
    assert row["times"]["applied"] == 5.5


def until_stuck(server: ServerProcess) -> None:
    """Wait until the server finds that it cannot write its store."""
    answer = wait_for(
        lambda: (answer := server.page("/healthz")).status_code == 503 and answer, 30, "it is stuck"
    )
    assert answer.json()["status"] == "failing"


def assert_never_again(server: ServerProcess, run: str, number: int) -> None:
    """Over a kill, restarts and reports of what came after, the command is not sent again."""
    path = f"/api/runs/{run}/commands"
    with FakeProbe(server, hello(run)) as probe:
        later = server.post(path, {"kind": "thaw", "target": "b"}).json()["id"]
        assert probe.until_command(later)
        assert [command["id"] for command in probe.commands] == [later]
    server.kill()
    server.restart()
    with FakeProbe(server, hello(run)) as probe:
        assert sent(probe, 1000) == [later]
        probe.report(1001, number, "verified", step=4)
        probe.report(1002, number, "drifted", step=5, reason="a.weight was moved by SGD")
        probe.until_acked(1002)
    server.kill()
    server.restart()
    with FakeProbe(server, hello(run)) as probe:
        assert sent(probe, 1003) == [later]
    assert server.get(f"{path}/{number}")["state"] == "drifted"


def test_metrics_of_an_earlier_server_are_merged(server: ServerProcess, run: str) -> None:
    """In the background, while they are answered with, and not one of them is lost."""
    with FakeProbe(server, hello(run)) as probe:
        for seq in (1, 2, 3):
            steps = list(range(1000 * seq, 1000 * seq + 1000))
            totals = {"steps": steps, "norms": [float(step) for step in steps], "flags": [0] * 1000}
            probe.send({"type": "totals", "seq": seq, "time": 1.0, **totals})
        probe.until_acked(3)
    server.kill()
    server.restart()

    def merged() -> int:
        with behind(server.data) as store:
            return store.scalar(select(func.count()).select_from(metric_blocks)) or 0

    wait_for(merged, message="a block is made")
    query = {"name": "gradgate/total_grad_norm", "points": 5000}
    answer = server.get(f"/api/runs/{run}/metrics", **query)["metrics"][query["name"]]
    assert answer["values"] == answer["steps"] == list(range(1000, 4000))
