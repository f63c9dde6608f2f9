"""The command `gradgate ungate`."""

from __future__ import annotations

from tests.support.commanding import Terminal
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess


def test_a_gate_is_removed_by_its_number(
    shared_server: ServerProcess, run: str, terminal: Terminal
) -> None:
    """With `--no-wait` it is asked for and no more."""
    with FakeProbe(shared_server, hello(run)) as probe:
        result = terminal.run("ungate", run, "3", "--no-wait", "--server", shared_server.url)
        command = probe.until_command(1)
    assert (command["kind"], command["gate"], command["by"]) == ("ungate", 3, "cli")
    assert result.exit_code == 0
    (line,) = result.stdout.splitlines()
    assert line.startswith("requested   command 1: ungate gate 3 in digits")
