"""What of a run is meant, and what means nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert

from gradgate.server.export.selection import BadRange, selection
from gradgate.server.protocol.frames import Sample
from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.store.database import Store
from gradgate.server.store.refusals import ReversedRange
from gradgate.server.store.runs import open_run
from gradgate.server.store.samples import append_samples
from gradgate.server.store.tables import spans
from tests.support.probing import hello


@pytest.fixture
def store(tmp_path: Path, run: str) -> Iterator[Store]:
    """A store of a run with samples of steps 10 and 20."""
    store = Store(tmp_path)
    states = np.ones(2, np.uint8)
    with store.write() as connection:
        open_run(connection, Hello.model_validate(hello(run)), 1.0)
        rows = [Sample(step, step, 0.0, False, states, {}) for step in (10, 20)]
        append_samples(connection, run, 0, rows)
    yield store
    store.close()


@pytest.mark.parametrize(("first", "last"), [(20, None), (None, 10), (1, 99), (12, 18)])
def test_a_range_that_touches_the_samples_is_good(
    store: Store, run: str, first: int | None, last: int | None
) -> None:
    """Also one that begins at the last step, or has no sample in it."""
    with store.read() as connection:
        chosen = selection(connection, run, "a", first, last)
    assert (chosen.places, chosen.first_step, chosen.last_step) == ([0, 1], first, last)
    assert [step for step in (9, 10, 20, 21) if chosen.has_step(step)] == [
        step for step in (9, 10, 20, 21) if (first or 0) <= step <= (last or 99)
    ]


@pytest.mark.parametrize(("first", "last"), [(21, None), (None, 9), (18, 12)])
def test_a_range_beside_the_samples_is_refused(
    store: Store, run: str, first: int | None, last: int | None
) -> None:
    """With the steps that there are, or with the two the other way round."""
    with (
        store.read() as connection,
        pytest.raises((BadRange, ReversedRange), match=r"steps 10 to 20|`from=12` and `to=18`"),
    ):
        selection(connection, run, None, first, last)


def test_steps_that_are_kept_in_coarser_steps_alone_are_known(store: Store, run: str) -> None:
    """A report shows them, so that they are not refused."""
    with store.write() as connection:
        coarse = {"run": run, "level": 2, "first": 0, "samples": 64, "axis": b""}
        connection.execute(insert(spans).values(**coarse, first_step=1, last_step=9))
    with store.read() as connection:
        assert selection(connection, run, None, None, 5).last_step == 5
