"""A data folder and its files belong to whoever runs the server."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from gradgate.server.store.database import Store
from gradgate.server.store.tables import meta

pytestmark = pytest.mark.sqlite


@pytest.fixture(autouse=True)
def open_handed() -> Iterator[None]:
    """Let new files be read and written by everybody, unless their mode is given."""
    earlier = os.umask(0)
    yield
    os.umask(earlier)


def modes(folder: Path) -> dict[str, int]:
    """The mode of each file of a store that is in use: it was written, and is read."""
    store = Store(folder)
    with store.write() as connection:
        connection.execute(update(meta).values(value=meta.c.value))
    with store.read() as one, store.read() as two:
        for each in (one, two):
            each.execute(select(meta)).all()
        found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    store.close()
    return found


NAMES = {"gradgate.db", "gradgate.db-wal", "gradgate.db-shm", "gradgate.lock"}


def test_a_new_data_folder_is_its_owners_alone(tmp_path: Path) -> None:
    """And so is every file, those that SQLite makes beside the data base included."""
    folder = tmp_path / "new"
    assert modes(folder) == dict.fromkeys(NAMES, 0o600)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_files_of_an_earlier_version_are_closed_to_others(tmp_path: Path) -> None:
    """The folder that somebody made keeps its mode, and what lies beside the store keeps its."""
    modes(tmp_path)
    for name in ("gradgate.db", "gradgate.lock"):
        (tmp_path / name).chmod(0o644)
    (tmp_path / "notes").touch(0o644)
    tmp_path.chmod(0o755)
    assert modes(tmp_path) == {**dict.fromkeys(NAMES, 0o600), "notes": 0o644}
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
