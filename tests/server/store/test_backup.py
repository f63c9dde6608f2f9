"""Copies of a data base."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from gradgate.server.store.backup import back_up
from gradgate.server.store.database import Store
from gradgate.server.store.errors import StoreError
from gradgate.server.store.integrity import faults
from gradgate.server.store.runs import run_rows
from tests.support.damaging import PARAMETERS, SAMPLES, damage_middle, store_runs
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess

pytestmark = pytest.mark.sqlite

RUN = "a" * 16
NAMES = [f"p{i}" for i in range(PARAMETERS)]


def test_a_backup_holds_what_was_stored_while_the_server_goes_on(tmp_path: Path) -> None:
    """All that was acknowledged before; a server takes it as its data base, and the job goes on."""
    file, restored = tmp_path / "copy", tmp_path / "restored"
    with (
        ServerProcess(tmp_path / "data") as server,
        FakeProbe(server, hello(RUN, NAMES)) as probe,
    ):
        for seq in range(1, SAMPLES + 1):
            probe.sample(seq, [1.0] * PARAMETERS)
        probe.until_acked(SAMPLES)
        assert back_up(server.data, file) == file.stat().st_size
        probe.sample(SAMPLES + 1, [1.0] * PARAMETERS)
        probe.until_acked(SAMPLES + 1)
    assert faults(file, 1) == []
    assert sorted(os.listdir(tmp_path)) == ["copy", "data"]
    restored.mkdir()
    file.rename(restored / "gradgate.db")
    with ServerProcess(restored) as server, FakeProbe(server, hello(RUN, NAMES)) as probe:
        assert probe.welcome["last_seq"] == SAMPLES
        probe.sample(SAMPLES + 1, [1.0] * PARAMETERS)
        probe.until_acked(SAMPLES + 1)


@pytest.mark.skipif(sys.platform == "win32", reason="modes are those of POSIX")
def test_a_backup_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Whatever the umask is."""
    store_runs(tmp_path, [RUN])
    file = tmp_path / "copy"
    before = os.umask(0)
    try:
        back_up(tmp_path, file)
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_backup_overwrites_nothing(tmp_path: Path) -> None:
    """A file that is there stays; what an earlier backup left unfinished is in no way."""
    store_runs(tmp_path, [RUN])
    file = tmp_path / "copy"
    file.write_text("mine")
    with pytest.raises(StoreError, match="is there already, and is not overwritten"):
        back_up(tmp_path, file)
    assert file.read_text() == "mine"
    (tmp_path / "other.part").write_text("unfinished")
    back_up(tmp_path, tmp_path / "other")
    assert faults(tmp_path / "other", 1) == []
    assert not (tmp_path / "other.part").exists()


def test_what_cannot_be_copied_is_said(tmp_path: Path) -> None:
    """And no half of a copy is left."""
    with pytest.raises(StoreError, match=r"no data base in .* with --data"):
        back_up(tmp_path, tmp_path / "copy")
    file = store_runs(tmp_path, [RUN])
    with pytest.raises(StoreError, match=r"cannot be written \(No such file or directory\)"):
        back_up(tmp_path, tmp_path / "nowhere" / "copy")
    damage_middle(file)
    before = set(os.listdir(tmp_path))
    with pytest.raises(StoreError, match=r"is damaged .* `gradgate doctor --data .* --salvage"):
        back_up(tmp_path, tmp_path / "copy")
    assert set(os.listdir(tmp_path)) - before <= {"gradgate.db-shm", "gradgate.db-wal"}


def test_a_backup_is_opened_as_any_store(tmp_path: Path) -> None:
    """Without a server that has written it."""
    store_runs(tmp_path / "data", [RUN])
    (tmp_path / "new").mkdir()
    back_up(tmp_path / "data", tmp_path / "new" / "gradgate.db")
    store = Store(tmp_path / "new")
    with store.read() as connection:
        assert [row.id for row in run_rows(connection)] == [RUN]
    store.close()
