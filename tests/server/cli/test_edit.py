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
def gradgate(shared_server: ServerProcess, terminal: Terminal) -> Gradgate:
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
    shared_server: ServerProcess, gradgate: Gradgate, finished: str, new_name: Callable[[], str]
) -> None:
    """Also to another's name, as the next of that; one that is none ends with 2."""
    name = new_name()
    told = gradgate("rename", finished[:12], name)
    assert (told.exit_code, told.stdout) == (0, f"{finished} ({finished}) is now {name}.\n")
    with FakeProbe(shared_server, hello("e" * 16, name="taken by another")):
        second = gradgate("rename", finished, "taken by another")
    assert second.stdout == f"{name} ({finished}) is now taken by another#2.\n"
    gradgate("rename", finished, name)
    for wrong in (" ", "a" * 600):
        misused = gradgate("rename", finished, wrong)
        assert (misused.exit_code, "name: String should have" in misused.stderr) == (2, True)
    assert shared_server.get(f"/api/runs/{finished}")["name"] == name


def test_tags_are_given_and_taken(gradgate: Gradgate, finished: str) -> None:
    """In one command, and without either they are shown."""
    assert gradgate("tag", finished).stdout.endswith("has no tag.\n")
    gradgate("tag", finished, "good", "lr\x1b 0.1")
    told = gradgate("tag", finished, "best", "--remove", "good").stdout
    assert told == f"{finished} ({finished}) has the tags best, lr\ufffd 0.1.\n"
    assert told == gradgate("tag", finished).stdout
    assert gradgate("tag", finished, "a" * 65).exit_code == 2


def test_notes_are_written_and_shown(
    shared_server: ServerProcess, gradgate: Gradgate, finished: str
) -> None:
    """In place of those before; an empty text removes them."""
    gradgate("note", finished, "first")
    assert gradgate("note", finished, "second\nline").stdout == "second\nline\n"
    assert gradgate("note", finished).stdout == "second\nline\n"
    assert gradgate("note", finished, "").stdout == f"{finished} ({finished}) has no notes.\n"


def test_notes_are_read_from_stdin(
    shared_server: ServerProcess, terminal: Terminal, gradgate: Gradgate, finished: str
) -> None:
    """Where the text is `-`."""
    terminal.type("from a file\n")
    gradgate("note", finished, "-")
    assert shared_server.get(f"/api/runs/{finished}")["notes"] == "from a file"


def test_what_is_kept_of_a_run_is_limited(gradgate: Gradgate, finished: str) -> None:
    """By age and by size, until 0 takes a limit away; what is no number of days is refused."""
    told = f"{finished} ({finished}) keeps"
    assert gradgate("keep", finished).stdout == f"{told} as much as the server does.\n"
    assert gradgate("keep", finished, "--days", "30").stdout == f"{told} 30 days in full.\n"
    both = gradgate("keep", finished, "--gb", "0.5").stdout
    assert both == f"{told} 30 days and 0.5 GB in full.\n"
    assert gradgate("keep", finished, "--days", "0").stdout == f"{told} 0.5 GB in full.\n"
    wrong = gradgate("keep", finished, "--days", "-1")
    assert (wrong.exit_code, "keep_days: Input should be" in wrong.stderr) == (2, True)


def test_archived_runs_are_listed_when_asked(gradgate: Gradgate, finished: str) -> None:
    """With the word beside their status, and their tags."""
    gradgate("tag", finished, f"x{finished}")
    listed = ("runs", "--tag", f"x{finished}")
    assert "  finished  " in gradgate(*listed).stdout
    assert (
        gradgate("archive", finished, finished).stdout.splitlines()
        == [f"{finished} ({finished}) is archived."] * 2
    )
    assert gradgate(*listed).stdout.startswith("No such run: `gradgate runs --archived`")
    assert "finished, archived" in gradgate(*listed, "--archived").stdout
    gradgate("unarchive", finished)
    assert f"x{finished}" in gradgate(*listed).stdout


def test_a_run_is_deleted_when_that_is_confirmed(
    shared_server: ServerProcess, terminal: Terminal, gradgate: Gradgate, finished: str
) -> None:
    """Nobody who answers, or no, keeps it."""
    path = f"/api/runs/{finished}"
    for answer in ("", "n\n"):
        terminal.type(answer)
        asked = gradgate("delete", finished)
        assert (asked.exit_code, "Delete 1 run for good? [y/N]" in asked.stdout) == (1, True)
        assert shared_server.page(path).status_code == 200
    terminal.type("y\n")
    told = gradgate("delete", finished, finished).stdout
    assert told.endswith(f"{finished} ({finished}) is deleted.\n")
    assert shared_server.page(path).status_code == 404


def test_a_live_run_is_not_deleted(
    shared_server: ServerProcess, gradgate: Gradgate, run: str
) -> None:
    """The command ends with 1, and says what has to be first."""
    with FakeProbe(shared_server, hello(run)):
        refused = gradgate("delete", run, "--yes")
    assert (refused.exit_code, "end the job" in refused.stderr) == (1, True)
