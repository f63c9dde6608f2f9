"""The command `gradgate events`."""

from __future__ import annotations

import json

from tests.support.commanding import Terminal
from tests.support.probing import NONFINITE, PRESENT, FakeProbe, hello
from tests.support.serving import ServerProcess


def test_events_are_listed_oldest_first(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """A line each, chosen as over REST; and followed until the run ends."""
    arguments = ("events", run, "--server", shared_server.url)
    with FakeProbe(shared_server, hello(run, name=f"job {run}")) as probe:
        probe.sample(1, [1, 1], [PRESENT, PRESENT])
        probe.sample(2, [float("nan"), 1], [NONFINITE, PRESENT])
        probe.until_acked(2)
        lines = terminal.run(*arguments).stdout.splitlines()
        chosen = terminal.run(*arguments, "--kind", "nonfinite", "--from", "2", "--json")
        none = terminal.run(*arguments, "--kind", "gate")
        probe.bye(step=2)
    assert [line[21:] for line in lines] == [
        "run        note   The run began at step 0.",
        "nonfinite  alert  NaN or infinity in the gradient of a.weight at step 2.",
    ]
    assert [json.loads(line)["id"] for line in chosen.stdout.splitlines()] == [2]
    assert none.stdout == f"No such event in job {run} ({run}).\n"
    followed = terminal.run(*arguments, "--follow", "--kind", "run")
    assert [line[39:] for line in followed.stdout.splitlines()][-1].startswith("The run finished")
