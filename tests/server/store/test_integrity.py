"""Damage of a store's file: found, said, and kept to what it hit."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.store.database import Store
from gradgate.server.store.errors import StoreError
from gradgate.server.store.integrity import faults
from gradgate.server.store.open_alerts import open_alerts
from gradgate.server.store.parameters import parameter_rows
from gradgate.server.store.runs import open_run, run_rows
from tests.support.damaging import PARAMETERS, damage_marked, damage_middle, store_runs
from tests.support.probing import hello

pytestmark = pytest.mark.sqlite

RUNS = ["a" * 16, "b" * 16, "c" * 16]


def empty(file: Path) -> None:
    """Make a file without a byte."""
    file.write_bytes(b"")


def of_another_program(file: Path) -> None:
    """Make a data base that is none of Gradgate's."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE pictures (name TEXT)")


def cut(file: Path) -> None:
    """Make a store's file that was cut off, such as by a disk that was full when it was copied."""
    store_runs(file.parent, RUNS[:1])
    file.write_bytes(file.read_bytes()[: 3 * 4096])


def text(file: Path) -> None:
    """Make a file of another kind."""
    file.write_text("name,picture\n" * 1000)


def header_only(file: Path) -> None:
    """Make a file that begins as a data base and is none."""
    file.write_bytes(b"SQLite format 3\0" + b"\xa5" * 8176)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (empty, r"is empty \(0 bytes\).*Put a backup in its place, remove it to begin anew, or"),
        (of_another_program, "is a data base of another program: move it, or choose another"),
        (cut, "put a backup in its place, save what can be read by `gradgate doctor --data"),
        (text, r"\(file is not a database\): put a backup in its place"),
        (header_only, "cannot be used"),
    ],
)
def test_what_is_no_store_is_refused(
    tmp_path: Path, make: Callable[[Path], None], sentence: str
) -> None:
    """The sentence says what to do; the file stays as it is, and the folder is free again."""
    file = tmp_path / "gradgate.db"
    make(file)
    before = file.read_bytes()
    for _ in range(2):
        with pytest.raises(StoreError, match=sentence):
            Store(tmp_path)
    assert file.read_bytes() == before
    file.unlink()
    Store(tmp_path).close()


def test_damage_is_known_at_the_start(tmp_path: Path) -> None:
    """Garbage in the middle of the file is found before anything is asked of it; a sound one is."""
    file = store_runs(tmp_path, RUNS)
    store = Store(tmp_path)
    assert store.damage is None
    store.close()
    damage_middle(file)
    store = Store(tmp_path)
    assert store.damage is not None
    assert f"The data base {file} is damaged (" in store.damage
    assert f"`gradgate doctor --data {tmp_path} --salvage FOLDER`" in store.damage
    assert "\n" not in store.damage
    store.close()


def test_faults_are_told_without_a_change(tmp_path: Path) -> None:
    """As many as are asked for, a line each; none of a sound file."""
    file = store_runs(tmp_path, RUNS)
    assert faults(file, 10) == []
    damage_middle(file)
    before = file.read_bytes()
    assert 1 <= len(faults(file, 10)) <= 10
    assert file.read_bytes() == before


def test_a_damaged_run_takes_no_other_along(tmp_path: Path) -> None:
    """The others are listed, read and written; what hit the damaged one is kept, and said."""
    file = store_runs(tmp_path, RUNS, marked=RUNS[1])
    damage_marked(file)
    store = Store(tmp_path)
    with store.read() as connection:
        listed = [row.id for row in run_rows(connection)]
        assert listed == [RUNS[2], RUNS[0]]
        assert len(parameter_rows(connection, RUNS[0])) == PARAMETERS
    with store.write() as connection:
        greeting = hello(RUNS[0], [f"p{i}" for i in range(PARAMETERS)], name=RUNS[0])
        opened = open_run(connection, Hello.model_validate(greeting), 2.0)
        assert opened.last_seq > 0
    store.close()


def test_damage_that_comes_later_is_known_from_the_query_that_meets_it(tmp_path: Path) -> None:
    """A store that was sound when it was opened."""
    file = store_runs(tmp_path, RUNS, marked=RUNS[1])
    store = Store(tmp_path)
    assert store.damage is None
    damage_marked(file)
    with store.read() as connection:
        assert len(run_rows(connection)) == len(RUNS) - 1
    assert store.damage is not None
    assert "(database disk image is malformed)" in store.damage
    store.close()


def test_damaged_alerts_hide_no_run(tmp_path: Path) -> None:
    """The list of runs goes without what it cannot read of events."""
    file = store_runs(tmp_path, RUNS)
    with closing(sqlite3.connect(file)) as connection:
        root = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'open_alerts'"
        ).fetchone()[0]
    content = bytearray(file.read_bytes())
    content[(root - 1) * 4096 : root * 4096] = b"\xa5" * 4096
    file.write_bytes(content)
    store = Store(tmp_path)
    with store.read() as connection:
        assert open_alerts(connection) == {}
        assert len(run_rows(connection)) == len(RUNS)
    store.close()
