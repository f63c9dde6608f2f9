"""Samples of a run in the cells of a grid."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from gradgate.server.export.report.grid import COLUMNS, Grid, read_grid
from gradgate.server.export.selection import Selection, selection
from gradgate.server.protocol.frames import Sample
from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.protocol.states import State
from gradgate.server.protocol.statistics import Statistic
from gradgate.server.store.database import Store
from gradgate.server.store.runs import open_run
from gradgate.server.store.samples import append_samples
from tests.support.probing import hello

Read = Callable[..., Grid | None]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    store = Store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def read(store: Store, run: str) -> Read:
    """Stores samples of parameters and reads a grid of them."""

    def grid(
        names: Sequence[str],
        samples: Sequence[tuple[int, Sequence[float], Sequence[State]]],
        **asked: int,
    ) -> Grid | None:
        with store.write() as connection:
            open_run(connection, Hello.model_validate(hello(run, names)), 1.0)
            for first in range(0, len(samples), 300):
                append_samples(
                    connection, run, first, [sample(*s) for s in samples[first : first + 300]]
                )
        with store.read() as connection:
            chosen: Selection = selection(connection, run, **asked)
        return read_grid(store, chosen)

    return grid


def sample(step: int, norms: Sequence[float], states: Sequence[State]) -> Sample:
    values = {int(Statistic.GRAD_NORM): np.array(norms, np.float32)}
    return Sample(step + 1, step, 0.0, False, np.array(states, np.uint8), values)


def test_a_cell_has_the_largest_norm_and_the_worst_state_of_its_steps(read: Read) -> None:
    """A spike and a trouble of one step are seen, however many steps a column has."""
    fine = [State.PRESENT, State.PRESENT]
    samples = [(step, [1.0, 2.0], fine) for step in range(1600)]
    samples[777] = (777, [1.0, 900.0], fine)
    samples[1234] = (1234, [1.0, np.nan], [State.PRESENT, State.NONFINITE])
    grid = read(["a", "b"], samples)
    assert grid is not None
    assert (grid.norms.shape, grid.samples) == ((2, COLUMNS), 1600)
    assert (grid.norms[0] == 1).all()
    assert grid.norms[1, 77] == 900
    assert (np.delete(grid.norms[1], 77) == 2).all()
    assert grid.states[1, 123] == State.NONFINITE
    assert np.count_nonzero(grid.states != State.PRESENT) == 1


def test_columns_are_of_the_chosen_steps_and_never_narrower_than_one(read: Read) -> None:
    """A column without a sample is like the one before it."""
    samples = [(step, [float(step)], [State.PRESENT]) for step in range(0, 100, 10)]
    grid = read(["a"], samples, first_step=20, last_step=55)
    assert grid is not None
    assert grid.edges.tolist() == list(range(20, 57))
    assert grid.norms[0].tolist() == [20.0] * 10 + [30.0] * 10 + [40.0] * 10 + [50.0] * 6
    assert grid.samples == 4


def test_a_module_that_trains_in_part_is_one_that_trains(read: Read) -> None:
    """Its troubles are shown, and what somebody froze only where all of it is frozen."""
    names = [f"m{module}.p{place}" for module in range(40) for place in range(2)]
    states = [State.PRESENT] * 80
    states[0] = states[2] = states[3] = State.FROZEN
    states[4], states[5] = State.FROZEN, State.ABSENT
    grid = read(names, [(5, [float(place) for place in range(80)], states)])
    assert grid is not None
    assert (grid.labels[:2], grid.counts[:2]) == (["m0", "m1"], [2, 2])
    assert grid.states[:4, 0].tolist() == [
        State.PRESENT,
        State.FROZEN,
        State.ABSENT,
        State.PRESENT,
    ]
    assert grid.norms[3, 0] == 7


def test_without_samples_there_is_no_grid(read: Read) -> None:
    """There is nothing to draw."""
    assert read(["a"], []) is None
