"""Stores of earlier versions: nothing of them is lost, and the runs go on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gradgate.server.store import Store
from tests.support.probing import FROZEN, PRESENT, FakeProbe, hello
from tests.support.serving import ServerProcess

OLD = Path(__file__).with_name("data") / "store_v2.sql"
"""A store as the server of schema version 2 wrote it: one run, a sample and three commands."""
BACK_TO_1 = """
    ALTER TABLE runs DROP COLUMN sample_time;
    ALTER TABLE runs DROP COLUMN sample_step;
    DROP INDEX spans_by_last_step;
    CREATE INDEX spans_by_step ON spans (run, level, first_step);
    UPDATE meta SET value = '1' WHERE key = 'schema_version';
"""
RUN = "2" * 16


def write_old(file: Path, version: int) -> None:
    """Write a store of an earlier version."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as store:
        store.executescript(OLD.read_text())
        if version == 1:
            store.executescript(BACK_TO_1)


@pytest.fixture(params=[1, 2])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server on the store of an earlier version."""
    write_old(tmp_path / "gradgate.db", request.param)
    with ServerProcess(tmp_path) as server:
        yield server


def test_all_that_was_stored_is_there(old: ServerProcess) -> None:
    """The run, its figures and its commands read as before, with what is new at its default."""
    path = f"/api/runs/{RUN}"
    row = old.get(path)
    assert (row["name"], row["samples"], row["parameters"]) == ("old", 1, 2)
    assert (row["ranks"], row["compiled"]) == (1, False)
    parameters = old.get(f"{path}/parameters")["parameters"]
    assert [each["state"] for each in parameters] == ["frozen", "present"]
    assert [each["removed"] for each in parameters] == [False, False]
    assert parameters[0]["frozen"] == {
        "by": "browser",
        "mode": "grad",
        "hold_stats": False,
        "since_step": 3,
        "command": 1,
    }
    assert old.get(f"{path}/series", parameter="a.bias")["values"] == [2]
    assert old.get(f"{path}/metrics")["metrics"]["loss"]["values"] == [0.5]
    commands = old.get(f"{path}/commands")["commands"]
    assert [each["state"] for each in commands] == ["applied", "requested", "verified"]
    for each in commands:
        assert (each["hold_stats"], each["reset_state"], each["saved"]) == (False, False, None)


def test_the_run_goes_on(old: ServerProcess) -> None:
    """Its probe is told what is stored, gets what it has not applied, and is stored on."""
    path = f"/api/runs/{RUN}"
    with FakeProbe(old, hello(RUN, ranks=2)) as probe:
        assert probe.welcome["last_seq"] == 6
        assert probe.until_command(2)["reset_state"] is False
        probe.report(7, 2, "drifted", step=6, reason="a.bias was moved by SGD")
        probe.sample(8, [3, 4], [FROZEN, PRESENT])
        probe.until_acked(8)
        asked = {"kind": "freeze", "target": "a", "mode": "no_grad"}
        assert old.post(f"{path}/commands", asked).json()["id"] == 4
    assert old.get(f"{path}/commands/2")["state"] == "drifted"
    assert old.get(path)["ranks"] == 2
    assert old.get(f"{path}/series", parameter="a.bias")["values"] == [2, 4]


@pytest.mark.parametrize("version", [1, 2])
def test_it_becomes_the_same_as_a_new_one(tmp_path: Path, version: int) -> None:
    """After the upgrade every table has the columns and indexes of a new store, and stays so."""
    write_old(tmp_path / "old" / "gradgate.db", version)
    Store(tmp_path / "new").close()
    Store(tmp_path / "old").close()
    new, once = schema(tmp_path / "new"), schema(tmp_path / "old")
    Store(tmp_path / "old").close()
    assert once == new == schema(tmp_path / "old")


def schema(folder: Path) -> set[tuple[object, ...]]:
    """The version, columns and indexes of a store; SQLite appends columns, so in no order."""
    columns = (
        'SELECT t.name, c.name, c.type, c."notnull", c.pk FROM sqlite_schema t'
        " JOIN pragma_table_info(t.name) c WHERE t.type = 'table'"
    )
    indexes = (
        'SELECT t.name, i.name, i."unique", c.seqno, c.name FROM sqlite_schema t'
        " JOIN pragma_index_list(t.name) i JOIN pragma_index_info(i.name) c"
    )
    with closing(sqlite3.connect(folder / "gradgate.db")) as store:
        found = {*store.execute(columns), *store.execute(indexes)}
        return found | {*store.execute("SELECT value FROM meta")}
