"""Following a command, whatever becomes of job and server."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from itertools import count, repeat
from types import SimpleNamespace
from typing import cast

import pytest

from gradgate.server.cli import follow
from gradgate.server.cli.client import Client
from gradgate.server.cli.errors import Broken, Denied, Failed, Stranger, Unreachable
from gradgate.server.cli.follow import Following, RunEnded
from gradgate.server.protocol.commands.row import CommandRow
from gradgate.server.protocol.commands.state import CommandState
from gradgate.server.protocol.runs import RunStatus
from tests.support.commanding import Terminal, spawn_gradgate
from tests.support.forked import ForkedPython
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for

WITHIN = 30


class Script:
    """A server that answers with one state of a command after the other, or with an error."""

    def __init__(
        self,
        *answers: str | Exception,
        status: RunStatus = RunStatus.LIVE,
        steps: Iterator[int] | None = None,
    ) -> None:
        self._answers = list(answers)
        self._status = status
        self._steps = steps or count()

    def run(self, _: str) -> SimpleNamespace:
        if isinstance(self._answers[0], Exception):
            raise self._answers.pop(0)
        return SimpleNamespace(status=self._status, step=next(self._steps))

    def command(self, _: str, __: int) -> SimpleNamespace:
        state, _, detail = str(self._answers.pop(0)).partition(": ")
        return command(state, detail=detail or None)


def command(*states: str, detail: str | None = None) -> SimpleNamespace:
    """A command that was in each of the states, and is in the last."""
    times = dict.fromkeys(states, 1.0)
    return SimpleNamespace(id=1, state=CommandState(states[-1]), times=times, detail=detail)


def following(script: Script, *states: str, last: str = "verified") -> tuple[list[str], list[str]]:
    """The states and the sentences that are told of a command until it is done."""
    told: list[str] = []
    noted: list[str] = []
    follower = Following(
        cast(Client, script),
        cast(CommandRow, command(*states)),
        "a" * 16,
        CommandState(last),
        lambda state, _: told.append(state.value),
        noted.append,
    )
    follower.until_final()
    return told, noted


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take no pause between two questions."""
    monkeypatch.setattr(follow, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(follow, "LONGEST_PAUSE", 0.0)


@pytest.mark.usefixtures("at_once")
def test_each_state_is_told_once() -> None:
    """Until the one in which the command is done."""
    script = Script("requested", "delivered", "delivered", "applied", "verified")
    assert following(script, "requested") == (
        ["requested", "delivered", "applied", "verified"],
        [],
    )
    assert following(Script("applied"), "requested", last="applied")[0] == ["requested", "applied"]
    assert following(Script("rejected"), "requested", "delivered")[0][-1] == "rejected"


@pytest.mark.usefixtures("at_once")
def test_a_server_that_is_back_goes_on_being_asked() -> None:
    """What goes by is waited for, and said once."""
    answers = (Unreachable("gone"), Broken("gone"), Failed(503, "busy"), "verified")
    told, noted = following(Script(*answers), "requested")
    assert told == ["requested", "verified"]
    assert noted == ["The server does not answer now; trying for 15 seconds."]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("error", [Failed(404, "no run"), Denied("no token"), Stranger("who")])
def test_what_no_patience_mends_ends_the_wait(error: Exception) -> None:
    """At once."""
    with pytest.raises(type(error), match=str(error)):
        following(Script(error, "verified"), "requested")


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("stands", [True, False])
def test_a_job_that_makes_no_step_is_told_once(
    monkeypatch: pytest.MonkeyPatch, stands: bool
) -> None:
    """As long as one comes now and then nothing is said."""
    monkeypatch.setattr(follow, "NO_STEP", 0.0)
    script = Script(*["delivered"] * 4, "verified", steps=repeat(1200) if stands else None)
    told = following(script, "requested")[1]
    assert len(told) == stands
    assert all("no step for 0 seconds, since step 1,200" in sentence for sentence in told)


@pytest.mark.usefixtures("at_once")
def test_why_a_command_waits_is_told_once() -> None:
    """Where the job knows why no step comes, in its words."""
    waiting = "delivered: no step was seen"
    _, told = following(Script(waiting, waiting, "applied: 2 of 2", "verified"), "requested")
    assert told == ["The command waits: no step was seen"]


def test_a_run_that_ended_or_is_lost() -> None:
    """The one ends the wait, and the other is said and waited for."""
    with pytest.raises(RunEnded):
        following(Script("applied", status=RunStatus.FINISHED), "requested")
    lost = Script("delivered", "delivered", "verified", status=RunStatus.LOST)
    assert following(lost, "requested")[1] == [
        "Nothing is heard of the job; the command waits for it."
    ]


@pytest.mark.parametrize(
    ("reports", "failed", "error"),
    [
        ((), False, "Command 1 was rejected: The run finished before the command was applied."),
        (("applied",), False, "The run finished before command 1 was verified."),
        (("applied",), True, "The run failed before command 1 was verified."),
    ],
)
def test_a_run_that_is_over_ends_the_wait(
    shared_server: ServerProcess,
    run: str,
    terminal: Terminal,
    reports: tuple[str, ...],
    failed: bool,
    error: str,
) -> None:
    """Nobody waits for a job that is over, and it is said how it ended."""
    with FakeProbe(shared_server, hello(run)) as probe:
        ended = terminal.start("freeze", run, "a", "--server", shared_server.url)
        probe.until_command(1)
        for seq, state in enumerate(reports, 1):
            probe.report(seq, 1, state)
        probe.bye(failed=failed)
        result = ended.result(WITHIN)
    assert (result.exit_code, result.stderr) == (1, f"Error: {error}\n")


def test_a_lost_job_is_said_and_waited_for(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """The command is there when the job comes back."""
    with FakeProbe(shared_server, hello(run)):
        pass
    wait_for(lambda: shared_server.get(f"/api/runs/{run}")["status"] == "lost")
    ended = terminal.start("freeze", run, "a", "--server", shared_server.url)
    wait_for(lambda: shared_server.get(f"/api/runs/{run}/commands")["commands"])
    with pytest.raises(AssertionError, match="it ends"):
        wait_for(ended.done, 1, "it ends although the job is away")
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.until_command(1)
        probe.report(1, 1, "verified", parameters=[0])
        result = ended.result(WITHIN)
    assert result.exit_code == 0
    assert result.stderr == "Nothing is heard of the job; the command waits for it.\n"


def test_a_restarted_server_is_waited_for(server: ServerProcess, run: str) -> None:
    """A server that comes back within the patience is asked on, and the command only once."""
    arguments = ["freeze", run, "a", "--server", server.url]
    with FakeProbe(server, hello(run)):
        process = spawn_gradgate(arguments, patience=60)
        until_line(process, "requested")
        server.kill()
        until_line(process, "The server does not answer now; trying for 60 seconds.")
    server.restart()
    with FakeProbe(server, hello(run)) as probe:
        probe.until_command(1)
        probe.report(1, 1, "verified", parameters=[0])
        rest = process.communicate(timeout=WITHIN)
    assert (process.returncode, rest) == (0, "verified\n")
    assert [row["id"] for row in server.get(f"/api/runs/{run}/commands")["commands"]] == [1]


def test_a_server_that_stays_away_ends_the_wait(server: ServerProcess, run: str) -> None:
    """After the patience, with what became of the command as far as is known."""
    arguments = ["freeze", run, "a", "--server", server.url]
    with FakeProbe(server, hello(run)):
        process = spawn_gradgate(arguments, patience=0.5)
        until_line(process, "requested")
        server.kill()
        rest = process.communicate(timeout=WITHIN)
    assert process.returncode == 3
    assert "Error: No server answers at" in rest
    assert "Command 1 stands, in state requested when last heard of" in rest


def test_ctrl_c_leaves_the_command_standing(shared_server: ServerProcess, run: str) -> None:
    """It says so, with a shell's exit code, and the job gets the command all the same."""
    with FakeProbe(shared_server, hello(run)) as probe:
        process = spawn_gradgate(["freeze", run, "a", "--server", shared_server.url])
        until_line(process, "requested")
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=WITHIN)
        assert process.returncode == 130
        assert "Error: Not waited for any longer. Command 1 stands" in rest
        assert "Traceback" not in rest
        probe.until_command(1)
    assert shared_server.get(f"/api/runs/{run}/commands/1")["state"] == "requested"


def until_line(process: ForkedPython, start: str) -> None:
    """Read what a command prints, up to a line that starts in a way."""
    for line in process.stdout:
        if line.startswith(start):
            return
    raise AssertionError(f"the command ended before it printed {start!r}")
