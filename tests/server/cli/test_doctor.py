"""`gradgate doctor` and `gradgate backup`."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from gradgate.server.cli import checkup
from gradgate.server.protocol.version import VERSION
from gradgate.server.store.tables import SCHEMA_VERSION
from tests.support.commanding import Terminal
from tests.support.damaging import damage_marked, damage_middle, store_runs
from tests.support.serving import ServerProcess
from tests.support.storing import behind

pytestmark = pytest.mark.sqlite

NOWHERE = "http://127.0.0.1:9"
RUNS = ["a" * 16, "b" * 16]


def wrong(output: str) -> list[str]:
    """Return the subjects that are wrong."""
    return [line.split()[1].rstrip(":") for line in output.splitlines() if line[:5] == "WRONG"]


def test_a_sound_set_up_is_well(terminal: Terminal, server: ServerProcess) -> None:
    """Each thing has a line, and the exit code is 0."""
    ended = terminal.run("doctor", "--data", str(server.data), "--server", server.url)
    assert ended.exit_code == 0, ended.output
    assert wrong(ended.output) == []
    assert f"schema version {SCHEMA_VERSION}." in ended.output
    assert f"server: {server.url} answers, version {VERSION}." in ended.output
    for subject in ("Python", "packages", "data folder", "free space"):
        assert f"ok     {subject}: " in ended.output


def test_damage_is_said_with_what_to_do(terminal: Terminal, tmp_path: Path) -> None:
    """By the file itself, and by a server that runs on it."""
    file = store_runs(tmp_path, RUNS, marked=RUNS[0])
    damage_marked(file)
    damage_middle(file)
    with ServerProcess(tmp_path) as server:
        ended = terminal.run("doctor", "--data", str(tmp_path), "--server", server.url)
    assert ended.exit_code == 1
    assert wrong(ended.output) == ["data", "server"]
    assert f"`gradgate doctor --data {tmp_path} --salvage FOLDER`" in ended.output


def test_an_empty_file_and_open_modes_are_wrong(terminal: Terminal, tmp_path: Path) -> None:
    """What others can write, and a data base of 0 bytes."""
    (tmp_path / "gradgate.db").touch()
    (tmp_path / "gradgate.db").chmod(0o640)
    ended = terminal.run("doctor", "--data", str(tmp_path))
    assert ended.exit_code == 1
    assert wrong(ended.output) == ["modes", "data"]
    assert "is empty (0 bytes)" in ended.output


def test_a_newer_store_is_wrong(terminal: Terminal, tmp_path: Path) -> None:
    """It says which version this Gradgate knows."""
    store_runs(tmp_path, RUNS[:1])
    with behind(tmp_path) as connection:
        connection.exec_driver_sql("UPDATE meta SET value = '9999'")
    ended = terminal.run("doctor", "--data", str(tmp_path))
    assert ended.exit_code == 1
    assert f"has schema version 9999 and this Gradgate knows {SCHEMA_VERSION}" in ended.output


def test_a_server_that_does_not_answer_is_wrong_where_it_was_named(
    terminal: Terminal, tmp_path: Path
) -> None:
    """By an option or in the environment; a folder that is not there yet is none."""
    folder = str(tmp_path / "new")
    assert wrong(terminal.run("doctor", "--data", folder, "--server", NOWHERE).output) == ["server"]
    ended = terminal.run("doctor", "--data", folder, GRADGATE_SERVER=NOWHERE)
    assert (ended.exit_code, wrong(ended.output)) == (1, ["server"])
    assert "is not there yet" in ended.output


def test_salvage_says_what_was_saved_and_what_was_lost(terminal: Terminal, tmp_path: Path) -> None:
    """By the names of runs, and by the ids of those that have none any more."""
    damage_marked(store_runs(tmp_path / "old", RUNS, marked=RUNS[1]))
    new = tmp_path / "new"
    command = ("doctor", "--data", str(tmp_path / "old"), "--salvage", str(new))
    ended = terminal.run(*command)
    assert ended.exit_code == 0, ended.output
    assert f"Saved 1 run in {new}: {RUNS[0]}#1" in ended.output
    assert f"Lost 1 run: {RUNS[1]}" in ended.output
    assert "Of the table runs, 1 place could not be read." in ended.output
    with ServerProcess(new) as server:
        assert [row["id"] for row in server.get("/api/runs")["runs"]] == [RUNS[0]]
    again = terminal.run(*command)
    assert again.exit_code == 1
    assert "is there already" in again.output


def test_a_backup_is_made_and_said(terminal: Terminal, tmp_path: Path) -> None:
    """A second one of the same name is refused."""
    store_runs(tmp_path, RUNS[:1])
    command = ("backup", str(tmp_path / "copy"), "--data", str(tmp_path))
    ended = terminal.run(*command)
    assert ended.exit_code == 0, ended.output
    assert f"{tmp_path / 'copy'} holds all that was stored in {tmp_path}" in ended.output
    assert terminal.run(*command).exit_code == 1


@pytest.mark.parametrize(("missing", "is_wrong"), [("torch", False), ("uvicorn", True)])
def test_a_server_wants_no_torch(
    monkeypatch: pytest.MonkeyPatch, missing: str, *, is_wrong: bool
) -> None:
    """An image has none, and each other package is wrong to lack; it is named as it is needed."""

    def installed(name: str) -> str:
        if name == missing:
            raise PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(checkup, "version", installed)
    (found,) = [each for each in checkup.programs() if each.subject == missing]
    assert found.wrong == is_wrong
    assert (f"`pip install '{missing}" in found.sentence) == is_wrong
