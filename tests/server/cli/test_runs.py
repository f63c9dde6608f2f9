"""The command `gradgate runs`."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.support.commanding import Terminal
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for


def test_runs_are_listed(
    server: ServerProcess, terminal: Terminal, new_name: Callable[[], str]
) -> None:
    """A table with one line a run, newest first, or every figure as JSON; or that there is none."""
    empty = terminal.run("runs", "--server", server.url)
    assert empty.stdout.startswith("No run yet")
    with (
        FakeProbe(server, hello("a" * 16, name="one\x1b[31m", ranks=4)) as probe,
        FakeProbe(server, hello("b" * 16, name="two", group="lr search")),
    ):
        probe.heartbeat(step=12345)
        wait_for(lambda: server.get(f"/api/runs/{'a' * 16}")["step"] == 12345)
        table = terminal.run("runs", "--server", server.url).stdout.splitlines()
        rows = json.loads(terminal.run("runs", "--json", "--server", server.url).stdout)
        for chosen in (("--group", "lr search"), ("--name", "two")):
            listed = terminal.run("runs", *chosen, "--server", server.url).stdout.splitlines()
            assert [line.split()[:4] for line in listed[1:]] == [["b" * 16, "two", "lr", "search"]]
        with FakeProbe(server, hello("c" * 16, name="two")):
            listed = terminal.run("runs", "--name", "two", "--server", server.url).stdout
            numbers = [line.split()[1] for line in listed.splitlines()[1:]]
    assert [line.split()[0] for line in table] == ["ID", "b" * 16, "a" * 16]
    assert table[2].split() == [
        *("a" * 16, "one\ufffd[31m", "live", "12,345", "12.5", "2", "of", "2"),
        *("node7", "(4", "ranks)"),
    ]
    assert numbers == ["two#2", "two#1"]
    assert [row["id"] for row in rows] == ["b" * 16, "a" * 16]
    assert set(rows[0]) == set(server.get("/api/runs")["runs"][0])
    assert rows[1]["name"] == "one\x1b[31m"
