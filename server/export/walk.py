"""A walk through the samples of a selection, in parts that fit into memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..store.database import Store
from ..store.runs import run_record
from ..store.sample_blocks import next_stretch, read_block, sample_count
from ..store.tiles import Axis, block_of
from .selection import Selection


@dataclass(frozen=True, slots=True)
class Part:
    """Some samples of some parameters; each array of figures is (samples, parameters)."""

    axis: Axis
    places: range
    """Which of the selection's parameters these are, counted from its first."""
    states: NDArray[np.uint8]
    values: dict[int, NDArray[np.float32]]


def walk(store: Store, chosen: Selection, statistics: Collection[int]) -> Iterator[Part]:
    """Yield the samples stretch by stretch, and in each block by block of the parameters.

    Each read is a transaction of its own, so that one of hours holds nothing; what comes meanwhile
    is left out. Raises `UnknownRun` when the run was deleted.
    """
    blocks: dict[int, list[int]] = defaultdict(list)
    for place in chosen.places:
        block, column = block_of(place)
        blocks[block].append(column)
    with store.read() as connection:
        end = sample_count(connection, chosen.run)
    following = partial(
        next_stretch, end=end, first_step=chosen.first_step, last_step=chosen.last_step
    )
    number = 0
    while True:
        with store.read() as connection:
            # What ends early because the run was deleted meanwhile must not look whole.
            run_record(connection, chosen.run)
            stretch = following(connection, chosen.run, number)
        if stretch is None:
            return
        number = stretch.end
        rows = _in_range(stretch.axis, chosen)
        if not len(rows):
            continue
        whole = stretch.axis
        axis = Axis(whole.steps[rows], whole.times[rows], whole.skipped[rows])
        first = 0
        for block, columns in blocks.items():
            with store.read() as connection:
                found = read_block(connection, chosen.run, block, stretch, statistics)
            kept = np.ix_(rows, np.array(columns))
            values = {code: figures[kept] for code, figures in found.values.items()}
            yield Part(axis, range(first, first + len(columns)), found.states[kept], values)
            first += len(columns)


def _in_range(axis: Axis, chosen: Selection) -> NDArray[np.intp]:
    """Return the places of the samples in the range."""
    kept = np.ones(len(axis.steps), bool)
    if chosen.first_step is not None:
        kept &= axis.steps >= chosen.first_step
    if chosen.last_step is not None:
        kept &= axis.steps <= chosen.last_step
    return np.flatnonzero(kept)
