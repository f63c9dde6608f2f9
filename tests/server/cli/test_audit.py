"""The command `gradgate audit`."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable

import pytest

from gradgate.server.cli import audit as audited
from tests.support.commanding import Terminal
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess


def test_what_people_did_is_printed(
    shared_server: ServerProcess,
    terminal: Terminal,
    run: str,
    new_name: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In words, as JSON and as CSV, newest first and page by page, with what is asked for only."""
    monkeypatch.setattr(audited, "PAGE", 2)
    name = new_name()
    asking = ("audit", "--run", run, "--server", shared_server.url)
    with FakeProbe(shared_server, hello(run, name=name)):
        terminal.run("tag", run, "good", "--server", shared_server.url)
        for target in ("a", "a.weight", "a\x1b[31m"):
            terminal.run("freeze", run, target, "--no-wait", "--server", shared_server.url)
    lines = terminal.run(*asking).stdout.splitlines()
    assert len(lines) == 4
    who, told = lines[-1].split(": ")
    assert who.endswith("somebody at 127.0.0.1")
    assert told == f"edited {name} ({run}), tags good"
    assert "a\ufffd[31m" in lines[0]
    rows = [json.loads(line) for line in terminal.run(*asking, "--json").stdout.splitlines()]
    assert [row["action"] for row in rows] == ["command"] * 3 + ["edit"]
    table = list(csv.DictReader(io.StringIO(terminal.run(*asking, "--csv").stdout)))
    assert [row["id"] for row in table] == [row["id"] for row in rows]
    assert json.loads(table[-1]["detail"]) == {"tags": ["good"]}
    assert len(terminal.run(*asking, "--limit", "3").stdout.splitlines()) == 3
    assert len(terminal.run(*asking, "--action", "edit").stdout.splitlines()) == 1
    tomorrow = time.strftime("%Y-%m-%d", time.localtime(time.time() + 2 * 86400))
    assert terminal.run(*asking, "--since", tomorrow).stdout == ""
    assert len(terminal.run(*asking, "--until", tomorrow).stdout.splitlines()) == 4
    assert terminal.run(*asking, "--json", "--csv").exit_code == 2


def test_a_name_that_is_a_formula_computes_nothing(
    shared_server: ServerProcess, terminal: Terminal, run: str
) -> None:
    """A job may be called anything, and whoever exports the log opens it in a spreadsheet."""
    with FakeProbe(shared_server, hello(run, name="=1+1")):
        terminal.run("tag", run, "good", "--server", shared_server.url)
    asking = ("audit", "--run", run, "--server", shared_server.url, "--csv")
    (row,) = csv.DictReader(io.StringIO(terminal.run(*asking).stdout))
    assert row["name"].startswith("'=1+1")
    assert row["run"] == run
    assert float(row["time"]) > 0
