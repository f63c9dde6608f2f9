"""Cells of heat maps from memory: the same as those from the store, and no older."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import Connection, delete, insert, select, update

from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.protocol.statistics import Statistic
from gradgate.server.store.deletion import begin_deletion, delete_some
from gradgate.server.store.heatmaps.cells import Of
from gradgate.server.store.heatmaps.heatmap import Heatmap, read_heatmap
from gradgate.server.store.heatmaps.kept_cells import ENTRY, KeptCells
from gradgate.server.store.levels.cover import Range
from gradgate.server.store.levels.merging import next_merge
from gradgate.server.store.runs import lose, open_run
from gradgate.server.store.samples import append_samples
from gradgate.server.store.tables import tiles
from tests.server.store.levels.conftest import Recorded, noise, sample
from tests.support.probing import hello

NORM = Statistic.GRAD_NORM
RUN = "d" * 16
WIDTH = 131


@pytest.fixture
def made(connection: Connection) -> Recorded:
    """A run of which nothing is stored yet."""
    names = [f"layer{place // 10}.p{place}" for place in range(WIDTH)]
    open_run(connection, Hello.model_validate(hello(RUN, names)), 1.0)
    return noise(RUN, 3000, WIDTH)


def grow(connection: Connection, made: Recorded, first: int, end: int) -> None:
    """Store some samples, and merge what can be."""
    for start in range(first, end, 100):
        rows = [sample(made, place) for place in range(start, start + 100)]
        append_samples(connection, RUN, start, rows)
    while (merge := next_merge(connection, RUN)) is not None:
        merge.apply(connection)


def read(
    connection: Connection,
    kept: KeptCells | None,
    *,
    of: Of = "max",
    match: str | None = None,
    steps: Range | None = None,
    columns: int = 40,
) -> Heatmap:
    """Read the heat map of modules, from memory or, without one, from the store."""
    chosen = Range() if steps is None else steps
    more = () if kept is None else (kept.read,)
    return read_heatmap(connection, RUN, match, NORM, of, chosen, columns, 14, *more)


def is_same(one: Heatmap, other: Heatmap) -> bool:
    """Tell whether two are the same to the bit."""
    return (
        one.groups == other.groups
        and np.array_equal(one.values, other.values, equal_nan=True)
        and np.array_equal(one.states, other.states)
    )


def test_what_is_kept_is_what_is_stored(connection: Connection, made: Recorded) -> None:
    """While the run grows and is merged, for each figure, target and range."""
    kept = KeptCells(10**7)
    for end in (300, 1400, 3000):
        grow(connection, made, {300: 0, 1400: 300, 3000: 1400}[end], end)
        for _ in range(2):
            for asked in (
                {"of": "max"},
                {"of": "min"},
                {"of": "mean"},
                {"match": "layer3"},
                {"match": "layer4"},
                {"steps": Range(100, 250)},
            ):
                again = read(connection, kept, **asked)  # type: ignore[arg-type]
                assert is_same(again, read(connection, None, **asked))  # type: ignore[arg-type]


def test_what_was_read_once_is_not_read_again(connection: Connection, made: Recorded) -> None:
    """It is there without its tiles; what does not fit into memory is read each time."""
    grow(connection, made, 0, 3000)
    kept, small = KeptCells(10**7), KeptCells(ENTRY)
    before = [read(connection, each) for each in (kept, small)]
    connection.execute(delete(tiles))
    assert is_same(read(connection, kept), before[0])
    assert not is_same(read(connection, small), before[1])
    assert np.isnan(read(connection, kept, of="min").values).all()


def test_an_entry_counts_with_what_it_takes_beside_its_arrays(
    connection: Connection, made: Recorded
) -> None:
    """Cells of one sample have a few bytes, and would be kept without an end."""
    for place in range(50):
        append_samples(connection, RUN, place, [sample(made, place)])
    roomy, cramped = KeptCells(50 * 2 * ENTRY), KeptCells(10 * 2 * ENTRY)
    before = read(connection, None)
    assert is_same(read(connection, roomy), before)
    assert is_same(read(connection, cramped), before)
    connection.execute(delete(tiles))
    assert is_same(read(connection, roomy), before)
    assert not is_same(read(connection, cramped), before)


def test_what_could_not_be_read_is_read_again(connection: Connection, made: Recorded) -> None:
    """It is shown as unmeasured, and as it is once it can be read."""
    grow(connection, made, 0, 1400)
    whole = read(connection, None)
    kept = KeptCells(10**7)
    stored = connection.execute(select(tiles)).mappings().all()
    connection.execute(update(tiles).values(data=b"damaged"))
    assert np.isnan(read(connection, kept).values).all()
    connection.execute(delete(tiles))
    connection.execute(insert(tiles), [dict(row) for row in stored])
    assert is_same(read(connection, kept), whole)


def test_a_run_that_takes_the_id_of_a_deleted_one_has_its_own_cells(
    connection: Connection, made: Recorded
) -> None:
    """Though its samples have the same steps."""
    grow(connection, made, 0, 300)
    kept = KeptCells(10**7)
    before = read(connection, kept)
    lose(connection, RUN)
    begin_deletion(connection, RUN)
    while delete_some(connection, RUN):
        pass
    names = [f"layer{place // 10}.p{place}" for place in range(WIDTH)]
    open_run(connection, Hello.model_validate(hello(RUN, names)), 2.0)
    grow(connection, replace(made, norms=2 * made.norms), 0, 300)
    assert is_same(read(connection, kept), read(connection, None))
    assert not is_same(read(connection, kept), before)
