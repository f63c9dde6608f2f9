"""Changing the runs themselves from a terminal: rename, tag, note, archive, delete."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import Result

from tests.support.commanding import Terminal
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for

Gradgate = Callable[..., Result]


@pytest.fixture
def command(shared_server: ServerProcess, terminal: Terminal) -> Gradgate:
    """Runs a command against the server."""
    return lambda *arguments: terminal.run(*arguments, "--server", shared_server.url)


@pytest.fixture
def finished(shared_server: ServerProcess, run: str) -> str:
    """A run that has finished, named as its id."""
    with FakeProbe(shared_server, hello(run, name=run)) as probe:
        probe.bye()
        wait_for(lambda: shared_server.get(f"/api/runs/{run}")["status"] == "finished")
    return run


def test_a_run_is_renamed(
    shared_server: ServerProcess, command: Gradgate, finished: str, new_name: Callable[[], str]
) -> None:
    """Also to another's name, as the next of that; one that is none ends with 2."""
    name = new_name()
    told = command("rename", finished[:12], name)
    assert (told.exit_code, told.stdout) == (0, f"{finished} ({finished}) is now {name}.\n")
    with FakeProbe(shared_server, hello("e" * 16, name="taken by another")):
        second = command("rename", finished, "taken by another")
    assert second.stdout == f"{name} ({finished}) is now taken by another#2.\n"
    command("rename", finished, name)
    for wrong in (" ", "a" * 600):
        misused = command("rename", finished, wrong)
        assert (misused.exit_code, "name: String should have" in misused.stderr) == (2, True)
    assert shared_server.get(f"/api/runs/{finished}")["name"] == name


def test_tags_are_given_and_taken(command: Gradgate, finished: str) -> None:
    """In one command, and without either they are shown."""
    assert command("tag", finished).stdout.endswith("has no tag.\n")
    command("tag", finished, "good", "lr\x1b 0.1")
    told = command("tag", finished, "best", "--remove", "good").stdout
    assert told == f"{finished} ({finished}) has the tags best, lr\ufffd 0.1.\n"
    assert told == command("tag", finished).stdout
    assert command("tag", finished, "a" * 65).exit_code == 2


def test_notes_are_written_and_shown(
    shared_server: ServerProcess, command: Gradgate, finished: str
) -> None:
    """In place of those before; an empty text removes them."""
    command("note", finished, "first")
    assert command("note", finished, "second\nline").stdout == "second\nline\n"
    assert command("note", finished).stdout == "second\nline\n"
    assert command("note", finished, "").stdout == f"{finished} ({finished}) has no notes.\n"


def test_notes_are_read_from_stdin(
    shared_server: ServerProcess, terminal: Terminal, command: Gradgate, finished: str
) -> None:
    """Where the text is `-`."""
    terminal.type("from a file\n")
    command("note", finished, "-")
    assert shared_server.get(f"/api/runs/{finished}")["notes"] == "from a file"


def test_what_is_kept_of_a_run_is_limited(command: Gradgate, finished: str) -> None:
    """By age and by size, until 0 takes a limit away; what is no number of days is refused."""
    told = f"{finished} ({finished}) keeps"
    assert command("keep", finished).stdout == f"{told} as much as the server does.\n"
    assert command("keep", finished, "--days", "30").stdout == f"{told} 30 days in full.\n"
    both = command("keep", finished, "--gb", "0.5").stdout
    assert both == f"{told} 30 days and 0.5 GB in full.\n"
    assert command("keep", finished, "--days", "0").stdout == f"{told} 0.5 GB in full.\n"
    wrong = command("keep", finished, "--days", "-1")
    assert (wrong.exit_code, "keep_days: Input should be" in wrong.stderr) == (2, True)


def test_archived_runs_are_listed_when_asked(command: Gradgate, finished: str) -> None:
    """With the word beside their status, and their tags."""
    command("tag", finished, f"x{finished}")
    listed = ("runs", "--tag", f"x{finished}")
    assert "  finished  " in command(*listed).stdout
    assert (
        command("archive", finished, finished).stdout.splitlines()
        == [f"{finished} ({finished}) is archived."] * 2
    )
    assert command(*listed).stdout.startswith("No such run: `gradgate runs --archived`")
    assert "finished, archived" in command(*listed, "--archived").stdout
    command("unarchive", finished)
    assert f"x{finished}" in command(*listed).stdout


def test_a_run_is_deleted_when_that_is_confirmed(
    shared_server: ServerProcess, terminal: Terminal, command: Gradgate, finished: str
) -> None:
    """Nobody who answers, or no, keeps it."""
    path = f"/api/runs/{finished}"
    for answer in ("", "n\n"):
        terminal.type(answer)
        asked = command("delete", finished)
        assert (asked.exit_code, "Delete 1 run for good? [y/N]" in asked.stdout) == (1, True)
        assert shared_server.page(path).status_code == 200
    terminal.type("y\n")
    told = command("delete", finished, finished).stdout
    assert told.endswith(f"{finished} ({finished}) is deleted.\n")
    assert shared_server.page(path).status_code == 404


def test_a_live_run_is_not_deleted(
    shared_server: ServerProcess, command: Gradgate, run: str
) -> None:
    """The command ends with 1, and says what has to be first."""
    with FakeProbe(shared_server, hello(run)):
        refused = command("delete", run, "--yes")
    assert (refused.exit_code, "end the job" in refused.stderr) == (1, True)
