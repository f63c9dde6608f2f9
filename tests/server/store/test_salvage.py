"""What can be read of a damaged data base is saved."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from gradgate.server.protocol.parameter_table import BLOCK
from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.protocol.states import State
from gradgate.server.store.database import Store
from gradgate.server.store.errors import StoreError
from gradgate.server.store.parameter_table import parameter_names
from gradgate.server.store.runs import open_run, run_rows
from gradgate.server.store.salvage import salvage
from gradgate.server.store.samples import read_recent
from tests.support.damaging import PARAMETERS, SAMPLES, damage_marked, damage_middle, store_runs
from tests.support.probing import hello

pytestmark = pytest.mark.sqlite

RUNS = ["a" * 16, "b" * 16, "c" * 16]
NAMES = [f"p{i}" for i in range(PARAMETERS)]


def measured(folder: Path) -> dict[str, int]:
    """Return how many states of each run can be read from a data folder."""
    store = Store(folder)
    assert store.damage is None
    with store.read() as connection:
        found = {
            row.id: int(
                np.sum(read_recent(connection, row.id, PARAMETERS, SAMPLES).states == State.PRESENT)
            )
            for row in run_rows(connection)
        }
    store.close()
    return found


def garble(file: Path, query: str) -> None:
    """Write garbage over the page that a query names."""
    with closing(sqlite3.connect(file)) as connection:
        page = connection.execute(query).fetchone()[0]
    with file.open("r+b") as writing:
        writing.seek((page - 1) * 4096)
        writing.write(b"\xa5" * 4096)


def test_a_sound_data_base_is_saved_whole(tmp_path: Path) -> None:
    """Every sample of every run."""
    store_runs(tmp_path / "old", RUNS)
    saved = salvage(tmp_path / "old", tmp_path / "new")
    assert saved.saved == [f"{run}#1" for run in RUNS]
    assert (saved.lost, saved.holes) == ([], {})
    assert measured(tmp_path / "new") == dict.fromkeys(RUNS, SAMPLES * PARAMETERS)


def test_garbage_in_the_middle_costs_what_it_hit(tmp_path: Path) -> None:
    """All runs are there, with nearly all of their samples, and the old file is as it was."""
    file = store_runs(tmp_path / "old", RUNS)
    damage_middle(file)
    before = file.read_bytes()
    saved = salvage(tmp_path / "old", tmp_path / "new")
    assert len(saved.saved) == len(RUNS)
    assert saved.holes
    found = measured(tmp_path / "new")
    assert set(found) == set(RUNS)
    whole = len(RUNS) * SAMPLES * PARAMETERS
    assert 0.8 * whole < sum(found.values()) < whole
    assert file.read_bytes() == before


def test_a_run_that_is_lost_is_named(tmp_path: Path) -> None:
    """With what hangs on it left out, and the others whole."""
    file = store_runs(tmp_path / "old", RUNS, marked=RUNS[1])
    damage_marked(file)
    saved = salvage(tmp_path / "old", tmp_path / "new")
    assert saved.saved == [f"{RUNS[0]}#1", f"{RUNS[2]}#1"]
    assert saved.lost == [RUNS[1]]
    assert saved.holes == {"runs": 1}
    assert measured(tmp_path / "new") == dict.fromkeys([RUNS[0], RUNS[2]], SAMPLES * PARAMETERS)
    with closing(sqlite3.connect(tmp_path / "new" / "gradgate.db")) as connection:
        left = connection.execute("SELECT count(*) FROM spans WHERE run = ?", (RUNS[1],))
        assert left.fetchone() == (0,)


@pytest.mark.parametrize("broken", ["DELETE FROM", "UPDATE"])
def test_a_lost_block_of_parameters_keeps_the_places_of_the_others(
    tmp_path: Path, broken: str
) -> None:
    """They are called lost until their job says hello with its table."""
    names = [f"p{place}" for place in range(2 * BLOCK + 1)]
    greeting = Hello.model_validate(hello(RUNS[0], names))
    store = Store(tmp_path / "old")
    with store.write() as connection:
        open_run(connection, greeting, 1.0)
    store.close()
    change = "SET data = X'00'" if broken == "UPDATE" else ""
    with closing(sqlite3.connect(tmp_path / "old" / "gradgate.db")) as connection, connection:
        connection.execute(f"{broken} parameter_blocks {change} WHERE first != {BLOCK}")
    salvage(tmp_path / "old", tmp_path / "new")
    store = Store(tmp_path / "new")
    with store.read() as connection:
        found = parameter_names(connection, RUNS[0])
    assert found == [f"lost {i}" if i // BLOCK != 1 else name for i, name in enumerate(names)]
    with store.write() as connection:
        open_run(connection, greeting, 2.0)
    with store.read() as connection:
        assert parameter_names(connection, RUNS[0]) == names
    store.close()


def test_figures_without_their_steps_are_left_out(tmp_path: Path) -> None:
    """The first page of a table takes the table along, and what needs it."""
    file = store_runs(tmp_path / "old", RUNS)
    garble(file, "SELECT rootpage FROM sqlite_schema WHERE name = 'spans'")
    saved = salvage(tmp_path / "old", tmp_path / "new")
    assert saved.holes == {"spans": 1}
    assert measured(tmp_path / "new") == dict.fromkeys(RUNS, 0)


def test_what_cannot_be_saved_is_said(tmp_path: Path) -> None:
    """A file without its first page, a folder without a file, a place that is taken."""
    with pytest.raises(StoreError, match=r"no data base in .* with --data"):
        salvage(tmp_path / "none", tmp_path / "new")
    file = store_runs(tmp_path / "old", RUNS[:1])
    with pytest.raises(StoreError, match="is there already, and is not overwritten"):
        salvage(tmp_path / "old", tmp_path / "old")
    file.write_bytes(b"\xa5" * 4096 + file.read_bytes()[4096:])
    with pytest.raises(StoreError, match=r"first pages of .* cannot be read"):
        salvage(tmp_path / "old", tmp_path / "new")
