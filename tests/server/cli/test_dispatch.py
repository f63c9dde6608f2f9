"""A command sent from a terminal, and what is printed of each of its states."""

from __future__ import annotations

import pytest

from tests.support.commanding import Terminal
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess

WITHIN = 30


def test_a_freeze_is_followed_until_it_is_verified(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """Each state is a line, in order, and the job gets what was asked, from `cli`."""
    with FakeProbe(shared_server, hello(run, name=f"job {run}")) as probe:
        ended = terminal.start(
            "freeze", run, "a.*", "--mode", "no_grad", "--hold-stats", "--server", shared_server.url
        )
        assert probe.until_command(1) == {
            "type": "command",
            "id": 1,
            "kind": "freeze",
            "target": "a.*",
            "mode": "no_grad",
            "hold_stats": True,
            "reset_state": False,
            "limit": None,
            "by": "cli",
        }
        probe.report(1, 1, "delivered")
        probe.report(2, 1, "applied", step=1341, parameters=[0, 1])
        probe.until_acked(2)
        assert not ended.done()
        probe.report(3, 1, "verified", step=1341, detail="2 of 2 bitwise unchanged")
        result = ended.result(WITHIN)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"requested   command 1: freeze a.* (mode no_grad, statistics held) in job {run} ({run})",
        "delivered",
        "applied     at step 1,341: 2 parameters (a.weight, a.bias)",
        "verified    2 of 2 bitwise unchanged",
    ]
    assert result.stderr == ""


def test_a_thaw_can_reset_the_state(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """With `--no-wait` it is asked for and no more."""
    with FakeProbe(shared_server, hello(run)) as probe:
        result = terminal.run(
            "thaw", run, "a.bias", "--reset-state", "--no-wait", "--server", shared_server.url
        )
        command = probe.until_command(1)
    assert (command["kind"], command["mode"], command["reset_state"]) == ("thaw", "grad", True)
    assert result.exit_code == 0
    (line,) = result.stdout.splitlines()
    assert line.startswith("requested   command 1: thaw a.bias (optimizer state reset) in digits")


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("rejected", "Error: Command 1 was rejected: 'x' matches nothing\n"),
        ("superseded", "Error: Command 1 was superseded: 'x' matches nothing\n"),
        ("drifted", "Error: Command 1 has drifted: 'x' matches nothing\n"),
    ],
)
def test_what_the_job_did_not_do_is_an_error(
    shared_server: ServerProcess, run: str, terminal: Terminal, state: str, sentence: str
) -> None:
    """The exit code is 1, and the sentence has the job's reason."""
    with FakeProbe(shared_server, hello(run)) as probe:
        ended = terminal.start("freeze", run, "x", "--server", shared_server.url)
        probe.until_command(1)
        probe.report(1, 1, state, reason="'x' matches nothing")
        result = ended.result(WITHIN)
    assert result.exit_code == 1
    # Above it, on a busy machine, may stand that nothing is heard of the job.
    assert result.stderr.splitlines(keepends=True)[-1] == sentence
    assert result.stdout.splitlines()[-1] == state
