"""The thread that merges, with a real store and the real thread that writes."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, func, select, update
from sqlalchemy.exc import OperationalError

from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.protocol.statistics import Statistic
from gradgate.server.store.database import Store
from gradgate.server.store.levels import compactor as module
from gradgate.server.store.levels.compactor import Compactor
from gradgate.server.store.levels.merging import SampleMerges
from gradgate.server.store.runs import open_run
from gradgate.server.store.samples import append_samples
from gradgate.server.store.tables import runs, spans
from gradgate.server.store.tracks import read_histories
from gradgate.server.store.writer import Writer
from tests.support.probing import hello
from tests.support.serving import ServerProcess
from tests.support.storing import behind, place
from tests.support.waiting import wait_for

from .conftest import Recorded, noise, sample

RUNS = ("a" * 16, "b" * 16)


@pytest.fixture
def filled(store: Store) -> dict[str, Recorded]:
    """Two runs of 1,500 samples each, ten a commit."""
    made = {}
    with store.write() as connection:
        for run in RUNS:
            made[run] = fill(connection, run)
    return made


def fill(connection: Connection, run: str) -> Recorded:
    """Append a run of 1,500 samples, as a server without levels had it."""
    open_run(connection, Hello.model_validate(hello(run)), 1.0)
    made = noise(run, 1500, 2)
    for first in range(0, 1500, 10):
        rows = [sample(made, place) for place in range(first, first + 10)]
        append_samples(connection, run, first, rows)
    connection.execute(update(runs).where(runs.c.id == run).values(samples=1500))
    return made


@pytest.fixture
def writer(store: Store) -> Iterator[Writer]:
    """The thread that writes."""
    writer = Writer(store, lambda _: None, lambda _: None)
    writer.start()
    yield writer
    writer.close()


def merged(store: Store, run: str) -> bool:
    """Return whether a run has its block, and few spans beside it."""
    query = select(spans.c.level, func.count()).where(spans.c.run == run).group_by(spans.c.level)
    with store.read() as connection:
        found = [tuple(row) for row in connection.execute(query.order_by(spans.c.level))]
    return [level for level, _ in found] == [0, 1, 2] and found[0][1] < 15


def assert_whole(store: Store, made: Recorded) -> None:
    """Every sample is there, its states exactly."""
    with store.read() as connection:
        found = read_histories(connection, made.run, [0], Statistic.GRAD_NORM, None, None)[0]
    assert found.steps.tolist() == list(range(1500))
    np.testing.assert_array_equal(found.states, made.states[:, 0])
    np.testing.assert_allclose(found.values, made.norms[:, 0], rtol=0.001)


def test_what_earlier_servers_left_is_merged(
    store: Store, writer: Writer, filled: dict[str, Recorded]
) -> None:
    """Without anything new of a run."""
    compactor = Compactor(store, writer.submit, [SampleMerges()], lambda: False)
    compactor.start()
    for run, made in filled.items():
        wait_for(lambda run=run: merged(store, run), 20, "the run is merged")
        assert_whole(store, made)
    compactor.close()


def test_a_run_is_merged_when_something_of_it_was_stored(store: Store, writer: Writer) -> None:
    """While the thread runs."""
    compactor = Compactor(store, writer.submit, [SampleMerges()], lambda: False)
    compactor.start()
    with store.write() as connection:
        made = fill(connection, RUNS[0])
    compactor.notice([RUNS[0]])
    wait_for(lambda: merged(store, RUNS[0]), 20, "the run is merged")
    assert_whole(store, made)
    compactor.close()


def test_a_server_that_is_always_busy_merges_all_the_same(
    store: Store,
    writer: Writer,
    filled: dict[str, Recorded],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """But rests for longer, as long as there is much to store."""
    monkeypatch.setattr(module, "LONGEST_PAUSE", 3.0)
    asked = []

    def busy() -> bool:
        asked.append(True)
        return True

    compactor = Compactor(store, writer.submit, [SampleMerges()], busy)
    compactor.start()
    wait_for(lambda: merged(store, RUNS[0]), 60, "a run is merged")
    compactor.close()
    assert len(asked) >= 3


def test_a_full_disk_is_told_once_and_merging_goes_on_later(
    store: Store,
    writer: Writer,
    filled: dict[str, Recorded],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In a sentence, not at each try; nothing is lost meanwhile."""
    monkeypatch.setattr(module, "RETRY_AFTER", 0.01)
    tries = []

    def submit(work: Callable[[Connection], Any]) -> Future[Any]:
        tries.append(work)
        if len(tries) > 3:
            return writer.submit(work)
        failed: Future[Any] = Future()
        full = sqlite3.OperationalError("database or disk is full")
        failed.set_exception(OperationalError("INSERT", {}, full))
        return failed

    compactor = Compactor(store, submit, [SampleMerges()], lambda: False)
    with caplog.at_level(logging.ERROR):
        compactor.start()
        for run, made in filled.items():
            wait_for(lambda run=run: merged(store, run), 20, "the run is merged")
            assert_whole(store, made)
        compactor.close()
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert "database or disk is full" in told[0]
    assert "free some room" in told[0]


def test_a_damaged_run_takes_no_other_along(
    store: Store,
    writer: Writer,
    filled: dict[str, Recorded],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It stays as it is, and the other is merged."""
    with store.write() as connection:
        damaged = (spans.c.run == RUNS[0]) & (spans.c.first == 30)
        connection.execute(update(spans).where(damaged).values(axis=b"nothing"))
    compactor = Compactor(store, writer.submit, [SampleMerges()], lambda: False)
    with caplog.at_level(logging.ERROR):
        compactor.start()
        wait_for(lambda: merged(store, RUNS[1]), 20, "the other run is merged")
        compactor.close()
    assert not merged(store, RUNS[0])
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert RUNS[0] in told[0]


def test_an_old_store_is_brought_up_while_the_server_serves(tmp_path: Path) -> None:
    """Its runs answer before and after, and the server ends at once when it is told to."""
    store = Store(place(tmp_path))
    with store.write() as connection:
        fill(connection, RUNS[0])
    store.close()
    with ServerProcess(tmp_path) as server:
        path = f"/api/runs/{RUNS[0]}/series"
        before = server.get(path, parameter="a.weight", points=2000)

        def blocks() -> int:
            with behind(tmp_path) as file:
                query = select(func.count()).select_from(spans).where(spans.c.level == 1)
                return file.scalar(query) or 0

        wait_for(blocks, 20, "a block is made")
        after = server.get(path, parameter="a.weight", points=2000)
    assert before["samples"] == after["samples"] == 1500
    assert before["steps"] == after["steps"]
    assert before["states"] == after["states"]
    values = [np.array(each["max"], np.float64) for each in (before, after)]
    np.testing.assert_allclose(*values, rtol=0.001)
