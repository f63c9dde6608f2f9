"""Heat maps, against the samples themselves."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from sqlalchemy import Connection

from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.protocol.states import State
from gradgate.server.protocol.statistics import Statistic
from gradgate.server.store.heatmaps.cells import Of
from gradgate.server.store.heatmaps.heatmap import read_heatmap
from gradgate.server.store.levels.cover import Range
from gradgate.server.store.levels.merging import next_merge
from gradgate.server.store.refusals import ReversedRange, UnknownParameter
from gradgate.server.store.runs import open_run
from gradgate.server.store.samples import append_samples
from tests.server.store.levels.conftest import Recorded, noise, sample
from tests.support.probing import hello

NORM = Statistic.GRAD_NORM
RUN = "c" * 16
SPIKE = 777
OF: tuple[Of, ...] = ("max", "min", "mean")
WIDTH = 131


@pytest.fixture
def made(connection: Connection) -> Recorded:
    """A run of 5,000 samples of 131 parameters; p0 has a spike and p130 a state of one step."""
    names = [f"layer{place // 10}.p{place}" for place in range(WIDTH)]
    open_run(connection, Hello.model_validate(hello(RUN, names)), 1.0)
    made = noise(RUN, 5000, WIDTH)
    made.norms[SPIKE, 0], made.states[SPIKE, 0] = 1e9, State.PRESENT
    made.states[:, 130] = State.FROZEN
    made.states[SPIKE, 130] = State.NONFINITE
    for first in range(0, 5000, 2500):
        rows = [sample(made, place) for place in range(first, first + 2500)]
        append_samples(connection, RUN, first, rows)
    while (merge := next_merge(connection, RUN)) is not None:
        merge.apply(connection)
    return made


def test_a_spike_is_there_at_every_zoom(connection: Connection, made: Recorded) -> None:
    """Of the norm as of the state, in the column that has its step and in no other."""
    for columns, rows in product([1, 7, 100, 4096], [1, 14, 131]):
        found = read_heatmap(connection, made.run, None, NORM, "max", Range(), columns, rows)
        assert len(found.groups) <= rows
        assert len(found.first_steps) <= columns
        here = (found.first_steps <= SPIKE) & (found.last_steps >= SPIKE)
        assert here.sum() == 1
        assert (found.values[0] > 0.99e9).tolist() == here.tolist()
        if rows == 131:
            states = np.where(here, State.NONFINITE, State.FROZEN)
            assert found.states[130].tolist() == states.tolist()
            assert found.groups[130].name == "layer13.p130"


@pytest.mark.parametrize("steps", [Range(), Range(2048, 4095), Range(4900, 4990)])
def test_cells_are_those_of_their_samples(
    connection: Connection, made: Recorded, steps: Range
) -> None:
    """Column by column, for modules of ten parameters."""
    for of in OF:
        assert_cells(made, steps, of, connection)


@pytest.mark.parametrize("columns", [8, 60])
def test_a_narrow_range_has_its_columns(
    connection: Connection, made: Recorded, columns: int
) -> None:
    """Those of a coarse level that lie beside the range do not stand for it."""
    found = read_heatmap(connection, made.run, None, NORM, "max", Range(2000, 2100), columns, WIDTH)
    assert len(found.first_steps) > columns / 2


def assert_cells(made: Recorded, steps: Range, of: Of, connection: Connection) -> None:
    """Compare each cell of a heat map with its samples."""
    found = read_heatmap(connection, made.run, "layer*", NORM, of, steps, 50, 14)
    assert [group.name for group in found.groups] == [f"layer{place}" for place in range(14)]
    assert found.first_steps[0] == (steps.first or 0)
    for column, (first, last) in enumerate(zip(found.first_steps, found.last_steps, strict=True)):
        for row, group in enumerate(found.groups):
            part = made.norms[first : last + 1, group.places].astype(np.float64)
            finite = part[np.isfinite(part)]
            positive = finite[finite > 0]
            wanted = {
                "max": finite.max(initial=-np.inf),
                "min": finite.min(initial=np.inf),
                "mean": np.exp(np.log(positive).mean()),
            }[of]
            assert found.values[row, column] == pytest.approx(wanted, rel=0.004, abs=1e-40)


def test_of_a_range_without_samples_there_are_no_columns(
    connection: Connection, made: Recorded
) -> None:
    """The rows are there all the same."""
    found = read_heatmap(connection, made.run, "layer0", NORM, "max", Range(10**6), 50, 14)
    assert found.values.shape == found.states.shape == (10, 0)
    assert len(found.last_steps) == 0


def test_what_cannot_be_meant_is_refused(connection: Connection, made: Recorded) -> None:
    """In sentences."""
    with pytest.raises(ReversedRange, match="give `from=3` and `to=9`"):
        read_heatmap(connection, made.run, None, NORM, "max", Range(9, 3), 50, 14)
    with pytest.raises(UnknownParameter, match="means no parameter"):
        read_heatmap(connection, made.run, "nothing", NORM, "max", Range(), 50, 14)
