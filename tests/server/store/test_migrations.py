"""Stores of earlier versions: nothing of them is lost, and the runs go on."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gradgate.server.store.database import Store
from gradgate.server.store.errors import StoreError
from gradgate.server.store.parameter_table import read_table
from gradgate.server.store.tables import SCHEMA_VERSION
from tests.support.probing import FROZEN, PRESENT, FakeProbe, alert, explanation, gate, hello
from tests.support.serving import ServerProcess

pytestmark = pytest.mark.sqlite

DATA = Path(__file__).with_name("data")
"""Stores as servers of earlier versions wrote them: one run, a sample and three commands."""
VERSIONS = (1, 2, 3, 4, 5, 6)
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
        store.executescript((DATA / f"store_v{max(version, 2)}.sql").read_text())
        if version == 1:
            store.executescript(BACK_TO_1)


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> int:
    """An earlier version."""
    return int(request.param)


@pytest.fixture
def old(version: int, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server on the store of an earlier version."""
    write_old(tmp_path / "gradgate.db", version)
    with ServerProcess(tmp_path) as server:
        yield server


def test_all_that_was_stored_is_there(old: ServerProcess, version: int) -> None:
    """The run, its figures and its commands read as before, with what is new at its default."""
    path = f"/api/runs/{RUN}"
    row = old.get(path)
    assert (row["name"], row["samples"], row["parameters"]) == ("old", 1, 2)
    assert (row["ranks"], row["compiled"]) == (1, False)
    assert (row["tags"], row["notes"], row["archived"]) == ([], "", False)
    assert (row["keep_days"], row["keep_gb"]) == (None, None)
    assert row["restraints"] == {"frozen": [], "frozen_stats": [], "share": None}
    parameters = old.get(f"{path}/parameters")["parameters"]
    assert [each["state"] for each in parameters] == ["frozen", "present"]
    assert [each["removed"] for each in parameters] == [False, False]
    assert parameters[0]["frozen"] == {
        "by": "browser",
        "mode": "grad",
        "hold_stats": False,
        "since_step": 3,
        "command": 1,
        "limit": None,
    }
    assert old.get(f"{path}/series", parameter="a.bias")["values"] == [2]
    assert old.get(f"{path}/metrics")["metrics"]["loss"]["values"] == [0.5]
    commands = old.get(f"{path}/commands")["commands"]
    assert [each["state"] for each in commands] == ["applied", "requested", "verified"]
    for each in commands:
        assert (each["hold_stats"], each["reset_state"]) == (False, False)
        assert (each["site"], each["when"], each["paused"], each["gate"]) == (None,) * 4
        assert each["limit"] is None
    assert (row["expect"], row["alerts"]) == ((["a"], 1) if version >= 5 else ([], 0))
    assert old.get(f"{path}/explanations")["step"] is None
    told = alert(1, "a.bias", since_step=3, detail="`a.bias` is cut off.")
    assert old.get(f"{path}/alerts")["alerts"] == ([told] if version >= 5 else [])
    gates = [each["site"] for each in old.get(f"{path}/gates")["gates"]]
    assert gates == (["output:a"] if version >= 4 else [])


def test_what_no_optimizer_has_is_counted_of_earlier_runs(tmp_path: Path) -> None:
    """It follows from the table that the run has."""
    write_old(tmp_path / "gradgate.db", 6)
    with closing(sqlite3.connect(tmp_path / "gradgate.db")) as store, store:
        store.execute("UPDATE parameters SET in_optimizer = 0")
        store.execute("UPDATE parameters SET requires_grad = 0 WHERE name = 'a.bias'")
    with ServerProcess(tmp_path) as server:
        assert server.get(f"/api/runs/{RUN}")["not_in_optimizer"] == 1


def test_parameters_are_packed_in_their_places(tmp_path: Path) -> None:
    """Over several blocks; what was lost of a salvaged store is called so."""
    write_old(tmp_path / "gradgate.db", 6)
    first_lost, last_lost, count = 17, 4098, 4100
    with closing(sqlite3.connect(tmp_path / "gradgate.db")) as store, store:
        columns = [row[1] for row in store.execute("PRAGMA table_info(parameters)")]
        for place in range(2, count):
            if first_lost <= place < 20 or place >= last_lost:
                continue
            named = {"position": str(place), "name": f"'p{place}'", "shape": "'[7]'"}
            named["names"] = f"""'["p{place}", "tied {place}"]'"""
            values = ", ".join(named.get(each, each) for each in columns)
            store.execute(f"INSERT INTO parameters SELECT {values} FROM parameters LIMIT 1")
        store.execute("UPDATE runs SET parameters = ?", (count,))
    opened = Store(tmp_path)
    with opened.read() as connection:
        table = read_table(connection, RUN)
    opened.close()
    lost = {17, 18, 19, 4098, 4099}
    assert table.names[2:] == [
        f"lost {place}" if place in lost else f"p{place}" for place in range(2, count)
    ]
    assert table.tied == {
        place: [f"tied {place}"] for place in range(2, count) if place not in lost
    }
    shapes = [table.kinds[place].shape for place in table.kind]
    assert shapes[2:] == [[] if place in lost else [7] for place in range(2, count)]


def test_runs_that_were_shown_with_a_number_have_their_name_again(tmp_path: Path) -> None:
    """In the order in which they began; a name that a person gave is kept."""
    write_old(tmp_path / "gradgate.db", 6)
    with closing(sqlite3.connect(tmp_path / "gradgate.db")) as store, store:
        names = [row[1] for row in store.execute("PRAGMA table_info(runs)")]
        for created, name in ((1, "old (2)"), (3, "old (10)"), (2, "old (best)"), (4, "mine")):
            changed = {"id": f"'{created:016}'", "name": f"'{name}'", "created": str(created)}
            values = ", ".join(changed.get(each, each) for each in names)
            store.execute(f"INSERT INTO runs SELECT {values} FROM runs WHERE name = 'old'")
    with ServerProcess(tmp_path) as server:
        rows = server.get("/api/runs")["runs"]
    shown = {(row["id"].lstrip("0"), row["name"], row["number"]) for row in rows}
    assert shown == {
        ("1", "old", 1),
        ("3", "old", 2),
        (RUN, "old", 3),
        ("2", "old (best)", 1),
        ("4", "mine", 1),
    }


@pytest.mark.parametrize("version", [3, 4])
def test_what_a_command_saved_is_there(tmp_path: Path, version: int) -> None:
    """Null where that was not known yet."""
    write_old(tmp_path / "gradgate.db", version)
    with ServerProcess(tmp_path) as server:
        commands = server.get(f"/api/runs/{RUN}/commands")["commands"]
    assert [each["saved"] and each["saved"]["steps"] for each in commands] == [None, None, 20]


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
        gating = {"kind": "gate", "site": "output:a", "when": "norm > 2"}
        assert old.post(f"{path}/commands", gating).json()["when"] == "norm > 2"
        probe.gates(9, gate())
        probe.explanations(10, 6, explanation())
        probe.alerts(11, alert())
        probe.until_acked(11)
    assert old.get(f"{path}/commands/2")["state"] == "drifted"
    assert old.get(path)["ranks"] == 2
    assert [each["id"] for each in old.get(f"{path}/gates")["gates"]] == [1]
    assert old.get(f"{path}/series", parameter="a.bias")["values"] == [2, 4]
    assert old.get(f"{path}/explanations")["explanations"] == [explanation()]
    assert old.get(f"{path}/alerts")["alerts"] == [alert()]


@pytest.mark.parametrize("version", VERSIONS)
def test_it_becomes_the_same_as_a_new_one(tmp_path: Path, version: int) -> None:
    """After the upgrade every table has the columns and indexes of a new store, and stays so."""
    write_old(tmp_path / "old" / "gradgate.db", version)
    Store(tmp_path / "new").close()
    Store(tmp_path / "old").close()
    new, once = schema(tmp_path / "new"), schema(tmp_path / "old")
    Store(tmp_path / "old").close()
    assert once == new == schema(tmp_path / "old")


def test_what_was_is_kept(tmp_path: Path, version: int, caplog: pytest.LogCaptureFixture) -> None:
    """A copy for its owner alone, which the log names; with it the earlier Gradgate goes on."""
    file = tmp_path / "gradgate.db"
    write_old(file, version)
    before = dump(file)
    Store(tmp_path).close()
    copy = tmp_path / f"gradgate.db.before-{SCHEMA_VERSION}"
    assert dump(copy) == before != dump(file)
    assert copy.stat().st_mode & 0o777 == 0o600
    assert f"a copy of what it was is kept as {copy}" in caplog.text
    copy.unlink()
    Store(tmp_path).close()
    assert not copy.exists()


def test_an_upgrade_that_fails_changes_nothing(tmp_path: Path) -> None:
    """The store is as it was, the sentence says so, and another try replaces the copy."""
    file = tmp_path / "gradgate.db"
    write_old(file, 6)
    with closing(sqlite3.connect(file)) as store, store:
        store.execute("CREATE TABLE optimizers (mine TEXT)")
    before = dump(file)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"6 cannot be upgraded .* exists\), and is as it was"):
            Store(tmp_path)
        assert dump(file) == before
    with closing(sqlite3.connect(file)) as store, store:
        store.execute("DROP TABLE optimizers")
    Store(tmp_path).close()
    assert schema(tmp_path)


def test_an_upgrade_wants_room_for_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it nothing is changed, and a sentence says how much is missing."""
    file = tmp_path / "gradgate.db"
    write_old(file, 6)
    before = dump(file)
    full = shutil.disk_usage(tmp_path)._replace(free=file.stat().st_size - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(StoreError, match=r"wanted for a copy .* 0 are free: free some room"):
        Store(tmp_path)
    assert dump(file) == before
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".lock") == [file.name]


def dump(file: Path) -> list[str]:
    """All that a data base holds."""
    with closing(sqlite3.connect(file)) as store:
        return list(store.iterdump())


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
