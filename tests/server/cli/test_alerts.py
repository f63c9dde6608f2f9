"""The command `gradgate alerts`."""

from __future__ import annotations

import json

from tests.support.commanding import Terminal
from tests.support.probing import ABSENT, NONFINITE, FakeProbe, alert, hello
from tests.support.serving import ServerProcess


def test_alerts_are_listed_with_an_exit_code_of_1(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """So that a CI job fails; without any the exit code is 0, and what is expected is said."""
    arguments = ("alerts", run, "--server", shared_server.url)
    restraints = {"frozen": ["b"], "frozen_stats": ["norm"], "share": [0.001, 0.02]}
    expected = {"expect": ["a.*", "head"], "restraints": restraints}
    greeting = hello(run, name=f"job {run}", **expected)
    with FakeProbe(shared_server, greeting) as probe:
        none = terminal.run(*arguments)
        empty = terminal.run(*arguments, "--json")
        probe.alerts(
            1,
            alert(None, None, cause="not_in_optimizer", detail="None is held.", where="t.py:7"),
            alert(),
            alert(1, "a.bias", cause=None, detail=None),
            alert(1, "a.bias", level="note"),
        )
        probe.until_acked(1)
        some = terminal.run(*arguments)
        listed = terminal.run(*arguments, "--json")
    assert (none.exit_code, empty.exit_code, some.exit_code, listed.exit_code) == (0, 0, 1, 1)
    assert none.stdout == (
        f"No alert in job {run} ({run}), which expects a.*, head to train; b to stay frozen; "
        "norm to keep its running statistics; 0.001 to 0.02 of its numbers to be trainable.\n"
    )
    assert json.loads(empty.stdout) == []
    assert some.stdout.splitlines() == [
        "the whole run: not_in_optimizer at t.py:7, since step 12",
        "    None is held.",
        "a.weight: detached, since step 12",
        "    `a.weight` reaches the loss only through `h.detach()` at train.py:41.",
        "a.bias: not explained yet, since step 12",
        "Note: a.bias: detached, since step 12",
        "    `a.bias` reaches the loss only through `h.detach()` at train.py:41.",
    ]
    assert json.loads(listed.stdout) == shared_server.get(f"/api/runs/{run}/alerts")["alerts"]


def test_very_many_alerts_are_counted(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """The last line says how many there are beside those that are listed."""
    names = [f"p{place}" for place in range(3001)]
    with FakeProbe(shared_server, hello(run, names)) as probe:
        probe.alerts(1, *[alert(place, name) for place, name in enumerate(names)])
        probe.until_acked(1)
        result = terminal.run("alerts", run, "--server", shared_server.url)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "And 1,001 more."


def test_a_note_alone_is_no_failure(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """It is told, behind that there is no alert, and the exit code is 0."""
    with FakeProbe(shared_server, hello(run, name=f"job {run}", expect=["a.*"])) as probe:
        probe.alerts(1, alert(level="note"))
        probe.until_acked(1)
        result = terminal.run("alerts", run, "--server", shared_server.url)
    assert result.exit_code == 0
    assert [line.split(":")[0] for line in result.stdout.splitlines()[:2]] == [
        f"No alert in job {run} ({run}), which expects a.* to train.",
        "Note",
    ]


def test_no_alert_where_nothing_is_expected(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """It says how to expect something, rather than that all is well where gradients are amiss."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.sample(1, [float("nan")] * 2, [NONFINITE, ABSENT])
        probe.until_acked(1)
        result = terminal.run("alerts", run, "--server", shared_server.url)
    assert result.exit_code == 0
    assert (
        "of which nothing is expected: `probe.attach(..., expect=['encoder.*'])`" in result.stdout
    )
    assert result.stdout.splitlines()[1] == (
        "Of its 2 parameters the latest sample has 1 nonfinite, 1 absent: "
        f"`gradgate explain {run}` says why."
    )
