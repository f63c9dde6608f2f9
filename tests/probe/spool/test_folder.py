"""The folder of what jobs have left."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gradgate.probe.spool import folder as folder_module
from gradgate.probe.spool.folder import SpoolFolder, bytes_of

BYE = {"type": "bye"}


def leave(folder: SpoolFolder, run: str, server: str) -> None:
    """Leave a file as a job does that ends."""
    spool = folder.spool(run, server)
    assert spool is not None
    spool.add([(1, "{}")], lambda: {"type": "hello", "run": run}, anew=False)
    spool.end(BYE)


def left(folder: SpoolFolder, server: str) -> list[str]:
    return [each.hello["run"] for each in folder.left_for(server)]


def test_what_is_left_for_a_server_is_found(tmp_path: Path) -> None:
    """Not what is for another, nor what is no recording, nor what its job still writes."""
    folder = SpoolFolder(tmp_path / "spool")
    assert left(folder, "http://here") == []
    leave(folder, "a" * 16, "http://here")
    leave(folder, "b" * 16, "http://there")
    leave(folder, "c" * 16, "http://here")
    (folder.path / "other.gradgate").write_text("anything")
    running = folder.spool("d" * 16, "http://here")
    assert running is not None
    running.add([(1, "{}")], lambda: {"type": "hello", "run": "d" * 16}, anew=False)
    assert left(folder, "http://here") == ["a" * 16, "c" * 16]
    running.end(BYE)
    assert left(folder, "http://here") == ["a" * 16, "c" * 16, "d" * 16]


def test_what_one_job_sends_no_other_does(tmp_path: Path) -> None:
    """Each file is locked for as long as it is used."""
    folder = SpoolFolder(tmp_path)
    leave(folder, "a" * 16, "http://here")
    for _ in folder.left_for("http://here"):
        assert left(folder, "http://here") == []
    assert left(folder, "http://here") == ["a" * 16]


def test_a_full_folder_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs that begin then keep what they have in memory, as far as that goes."""
    monkeypatch.setattr(folder_module, "FOLDER_BYTES", 50)
    folder = SpoolFolder(tmp_path)
    leave(folder, "a" * 16, "http://here")
    assert folder.spool("b" * 16, "http://here") is None


def test_the_environment_says_where_and_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder, or none; a number of MiB, and what is none is refused by a sentence."""
    monkeypatch.setenv("GRADGATE_SPOOL", "/scratch/left")
    monkeypatch.setenv("GRADGATE_SPOOL_MB", "3")
    assert SpoolFolder.of_environment() == SpoolFolder(Path("/scratch/left"), 3 * 2**20)
    monkeypatch.setenv("GRADGATE_SPOOL_MB", "much")
    with pytest.raises(ValueError, match="GRADGATE_SPOOL_MB='much': give a whole number of MiB"):
        SpoolFolder.of_environment()
    monkeypatch.setenv("GRADGATE_SPOOL", "off")
    assert SpoolFolder.of_environment() is None


def test_files_that_go_while_they_are_looked_at_are_passed_over(tmp_path: Path) -> None:
    """One that another job has sent meanwhile, the folder itself, and a disk that went away."""
    folder = SpoolFolder(tmp_path / "spool")
    leave(folder, "1" * 16, "http://one")
    leave(folder, "2" * 16, "http://one")
    for _ in folder.left_for("http://one"):
        shutil.rmtree(folder.path)
        folder.path.write_text("no folder any more")
    assert bytes_of(folder.path / "1.gradgate") == 0
    assert folder.spool("3" * 16, "http://one") is not None
