"""Retention: the oldest samples and values go first, and coarser levels keep what they were."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import Connection, insert, update

from gradgate.server.protocol.frames import Sample
from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.protocol.runs import RunEdit
from gradgate.server.protocol.statistics import Statistic
from gradgate.server.store.keep import KEEP_ALL, Keep
from gradgate.server.store.levels.merging import next_merge
from gradgate.server.store.levels.sizes import BLOCK_SAMPLES, EXACT_SAMPLES
from gradgate.server.store.merges import Outdated
from gradgate.server.store.metrics.merging import next_metric_merge
from gradgate.server.store.metrics.ranges import metric_buckets
from gradgate.server.store.metrics.sizes import BLOCK, KEPT
from gradgate.server.store.retention import Retention, oldest_drop, stored_bytes
from gradgate.server.store.runs import edit_run, open_run, run_row
from gradgate.server.store.samples import append_samples
from gradgate.server.store.series import series_rows
from gradgate.server.store.step_range import StepRange
from gradgate.server.store.tables import metrics, runs
from tests.support.probing import hello

DAY = 86400.0
SPIKE = 900.0
SAMPLES = 2 * BLOCK_SAMPLES + EXACT_SAMPLES

Fill = Callable[[str, float], None]


@pytest.fixture
def fill(connection: Connection) -> Fill:
    """Makes a run with two blocks of samples, each a day long, from a day on."""

    def make(run: str, day: float) -> None:
        open_run(connection, Hello.model_validate(hello(run, ["p"], name=run)), day * DAY)
        samples = [_sample(place, day) for place in range(SAMPLES)]
        append_samples(connection, run, 0, samples)
        connection.execute(update(runs).where(runs.c.id == run).values(samples=SAMPLES))
        while (merge := next_merge(connection, run)) is not None:
            merge.apply(connection)

    return make


def _sample(place: int, day: float) -> Sample:
    norm = np.array([SPIKE if place == 77 else 1.0], np.float32)
    at = (day + place / BLOCK_SAMPLES) * DAY
    values = {int(Statistic.GRAD_NORM): norm}
    return Sample(place + 1, place, at, False, np.array([1], np.uint8), values)


def drops(connection: Connection, retention: Retention, *names: str) -> list[str]:
    """Drop all that there is to drop, looking at some runs in turn; return the run of each drop."""
    found = []
    waiting = list(names)
    while waiting:
        for run in tuple(waiting):
            drop = retention.next_merge(connection, run)
            if drop is None:
                waiting.remove(run)
            else:
                drop.apply(connection)
                found.append(drop.run)
    return found


def retention(keep: Keep, day: float) -> Retention:
    """The limits of a server at a day."""
    return Retention(keep, every=0, clock=lambda: day * DAY)


def test_samples_grow_old(connection: Connection, run: str, fill: Fill) -> None:
    """A block goes when all of it is too old; a spike in it is still in the series."""
    fill(run, 10)
    assert drops(connection, retention(Keep(days=5), 15.9), run) == []
    assert drops(connection, retention(Keep(days=5), 16.1), run) == [run]
    assert drops(connection, retention(KEEP_ALL, 99), run) == []
    (row,) = series_rows(connection, run, ["p"], "grad_norm", None, None, 10_000)
    assert max(value or 0 for value in row.model_dump()["max"]) == SPIKE
    assert row.model_dump()["samples"] == SAMPLES
    assert drops(connection, retention(Keep(days=5), 17.1), run) == [run]
    assert drops(connection, retention(Keep(days=5), 99), run) == []


def test_a_run_has_limits_of_its_own(connection: Connection, run: str, fill: Fill) -> None:
    """In place of the server's; 0 takes them away."""
    fill(run, 10)
    edit_run(connection, run, RunEdit(keep_days=50))
    assert run_row(connection, run).keep_days == 50
    assert drops(connection, retention(Keep(days=5), 16.1), run) == []
    edit_run(connection, run, RunEdit(keep_days=0))
    assert run_row(connection, run).keep_days is None
    assert drops(connection, retention(Keep(days=5), 16.1), run) == [run]
    edit_run(connection, run, RunEdit(keep_gb=1e-9))
    assert drops(connection, retention(KEEP_ALL, 16.1), run) == [run]


def test_what_is_oldest_of_all_runs_goes_until_there_is_room(
    connection: Connection, fill: Fill
) -> None:
    """The server's limit leaves alone what a limit of its own holds."""
    early, late, own = "a" * 16, "b" * 16, "c" * 16
    for run, day in ((early, 10), (late, 10.5), (own, 1)):
        fill(run, day)
    edit_run(connection, own, RunEdit(keep_gb=1))
    drop = oldest_drop(connection, early)
    assert drop is not None
    total = stored_bytes(connection)
    assert total == sum(stored_bytes(connection, run) for run in (early, late, own))
    room = (total - 1.5 * drop.size) / 1e9
    assert drops(connection, retention(Keep(gb=room), 99), own, late, early) == [early, late]
    assert stored_bytes(connection) < room * 1e9


def test_values_of_metrics_grow_old(connection: Connection, opened: str) -> None:
    """Buckets keep their lowest and highest, and later blocks come behind those that are gone."""
    for first in (0, BLOCK + KEPT):
        rows = [
            {
                "run": opened,
                "name": "loss",
                "seq": seq,
                "step": seq,
                "time": float(seq),
                "value": SPIKE if seq == 77 else 1.0,
            }
            for seq in range(first, first + BLOCK + KEPT)
        ]
        connection.execute(insert(metrics), rows)
        while (merge := next_metric_merge(connection, opened)) is not None:
            merge.apply(connection)
        assert drops(connection, retention(Keep(days=1), 2), opened) == [opened]
    made = metric_buckets(connection, opened, "loss", StepRange(), 10_000)
    assert (made.high.max(), made.count.sum()) == (SPIKE, 2 * (BLOCK + KEPT))
    assert len(made) < BLOCK


def test_a_drop_is_done_once(connection: Connection, run: str, fill: Fill) -> None:
    """By the faster of two servers."""
    fill(run, 10)
    first, second = oldest_drop(connection, run), oldest_drop(connection, run)
    assert first is not None
    assert second is not None
    first.apply(connection)
    with pytest.raises(Outdated, match="gone already"), connection.begin_nested():
        second.apply(connection)


def test_a_run_is_looked_at_now_and_then(connection: Connection, run: str, fill: Fill) -> None:
    """Not with each commit."""
    fill(run, 10)
    patient = Retention(Keep(days=5), every=1000, clock=lambda: 15 * DAY)
    assert patient.next_merge(connection, run) is None
    edit_run(connection, run, RunEdit(keep_days=1))
    assert patient.next_merge(connection, run) is None
    assert patient.unmerged_runs(connection) == [run]


def test_older_samples_of_another_run_go_first(connection: Connection, fill: Fill) -> None:
    """Whichever run is looked at, until there is room; none is left because its turn was over."""
    early, late = "a" * 16, "b" * 16
    for run, day in ((early, 10), (late, 10.5)):
        fill(run, day)
    patient = Retention(Keep(gb=1e-9), every=1000, clock=lambda: 99 * DAY)
    assert drops(connection, patient, early, late) == [early, late, early, late]
    assert oldest_drop(connection, early) is oldest_drop(connection, late) is None


def test_one_look_drops_of_every_run(connection: Connection, fill: Fill) -> None:
    """Nobody has to be told of the others, which may have ended long ago."""
    early, late = "a" * 16, "b" * 16
    for run, day in ((early, 10), (late, 10.5)):
        fill(run, day)
    patient = Retention(Keep(gb=1e-9), every=1000, clock=lambda: 99 * DAY)
    assert drops(connection, patient, late) == [early, late, early, late]
