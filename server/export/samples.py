"""The table of samples: a row a parameter and step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..protocol.states import State
from ..protocol.statistics import STORED_STATISTICS, Statistic
from ..store.database import Store
from ..store.parameter_table import parameter_names
from ..store.sample_blocks import Block, Stretch, next_stretch, read_block, sample_count
from ..store.tiles import block_of
from .columns import Batch, Coded, Column, Kind, Numbers
from .selection import Selection

COLUMNS = (
    Column("step", Kind.INTEGER),
    Column("time", Kind.REAL),
    Column("skipped", Kind.BOOLEAN),
    Column("parameter", Kind.WORD),
    Column("state", Kind.WORD),
    *(Column(name, Kind.SINGLE) for name in STORED_STATISTICS),
)
_STATES = [state.label for state in State]


def sample_batches(store: Store, chosen: Selection) -> Iterator[Batch]:
    """Read the samples stretch by stretch, and in each block by block of the parameters.

    Rows of a batch are in the order of the parameters, and those of one in the order of the
    samples. Each read is a transaction of its own, so that an export of hours holds nothing; what
    comes meanwhile is left out.
    """
    columns: dict[int, list[int]] = defaultdict(list)
    for place in chosen.places:
        block, column = block_of(place)
        columns[block].append(column)
    with store.read() as connection:
        names = parameter_names(connection, chosen.run)
        end = sample_count(connection, chosen.run)
    words = [names[place] for place in chosen.places]
    number = 0
    while True:
        with store.read() as connection:
            stretch = next_stretch(
                connection, chosen.run, number, end, chosen.first_step, chosen.last_step
            )
        if stretch is None:
            return
        number = stretch.end
        rows = _rows(stretch, chosen)
        first = 0
        for block, wanted in columns.items() if len(rows) else ():
            with store.read() as connection:
                found = read_block(
                    connection, chosen.run, block, stretch, STORED_STATISTICS.values()
                )
            yield _batch(stretch, rows, found, wanted, words, first)
            first += len(wanted)


def _rows(stretch: Stretch, chosen: Selection) -> NDArray[np.intp]:
    """Return the places in a stretch of the samples in the range."""
    steps = stretch.axis.steps
    kept = np.ones(len(steps), bool)
    if chosen.first_step is not None:
        kept &= steps >= chosen.first_step
    if chosen.last_step is not None:
        kept &= steps <= chosen.last_step
    return np.flatnonzero(kept)


def _batch(
    stretch: Stretch,
    rows: NDArray[np.intp],
    block: Block,
    columns: list[int],
    words: Sequence[str],
    first: int,
) -> Batch:
    """Return the rows of some parameters; the first of them has the name `words[first]`."""
    sample = np.tile(rows.astype(np.int32), len(columns))
    parameter = np.repeat(np.arange(first, first + len(columns), dtype=np.int32), len(rows))
    kept = np.ix_(rows, np.array(columns))
    states = block.states[kept].T.ravel()
    axis = stretch.axis
    return [
        Coded(sample, axis.steps.tolist()),
        Coded(sample, axis.times.tolist()),
        Coded(sample, axis.skipped.astype(bool).tolist()),
        Coded(parameter, words),
        Coded(states.astype(np.int32), _STATES),
        *(
            _figures(statistic, block.values[statistic][kept].T.ravel(), states)
            for statistic in STORED_STATISTICS.values()
        ),
    ]


def _figures(
    statistic: Statistic, values: NDArray[np.float32], states: NDArray[np.uint8]
) -> Numbers:
    """Tell a NaN that was measured from what was not.

    Every sample has the norm of each gradient that is there, so that of a non-finite one may be
    NaN. The other statistics are taken of some only, and stored as NaN of the rest.
    """
    missing = np.isnan(values)
    if statistic is Statistic.GRAD_NORM:
        missing &= states != State.NONFINITE
    return Numbers(values, missing)
