"""Heat maps: a statistic of parameters or modules over buckets of steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from ..buckets import bucket_starts
from ..levels.cover import Range, cover
from ..levels.reading import bucket_axis
from ..levels.sizes import BLOCK_SAMPLES, FIRST_PYRAMID_LEVEL, bucket_samples
from ..parameter_table import parameter_names
from ..refusals import ReversedRange
from ..runs import run_record
from ..targets import chosen_places
from .cells import Asked, Of, ReadCells, Rows, joined, read_cells
from .rollup import Group, places_between, rolled_up

Values = NDArray[np.float32]
States = NDArray[np.uint8]

SAMPLE_CELLS = 2_000_000
"""Figures of single samples that are read for one heat map, about; more are read in buckets."""


@dataclass(frozen=True, slots=True)
class Heatmap:
    """Groups of parameters by buckets of steps."""

    groups: list[Group]
    first_steps: NDArray[np.int64]
    last_steps: NDArray[np.int64]
    values: Values
    """A figure of the finite values of each cell, as (groups, columns); NaN for none."""
    states: States
    """The worst state of each cell."""


def read_heatmap(
    connection: Connection,
    run: str,
    match: str | None,
    statistic: int,
    of: Of,
    steps: Range,
    columns: int,
    rows: int,
    read: ReadCells = read_cells,
) -> Heatmap:
    """Return a heat map of at most so many columns and rows.

    `match` is a target, or the name of a row of neighbours. A column may hold a few steps beside
    the range, where the store has them in one bucket. Raises `UnknownRun`, `UnknownParameter` and
    `ReversedRange`.
    """
    created = run_record(connection, run).created
    if steps.first is not None and steps.last is not None and steps.first > steps.last:
        raise ReversedRange(steps.first, steps.last)
    names = parameter_names(connection, run)
    places = range(len(names)) if match is None else _matching(connection, run, names, match)
    groups = rolled_up([names[place] for place in places], places, rows)

    def enough(level: int, buckets: int) -> bool:
        # A block is read as a whole, however few of its samples are in the range.
        samples = max(BLOCK_SAMPLES, buckets * bucket_samples(FIRST_PYRAMID_LEVEL))
        finer = samples * len(places)
        too_fine = level == FIRST_PYRAMID_LEVEL and finer > SAMPLE_CELLS
        return 2 * buckets >= columns or too_fine

    pieces = cover(connection, run, steps, enough)
    first_steps, last_steps, sizes = bucket_axis(pieces)
    kept = steps.of_buckets(first_steps, last_steps)
    if not kept.any():
        empty = np.empty((len(groups), 0))
        none = np.empty(0, np.int64)
        return Heatmap(groups, none, none, empty.astype(np.float32), empty.astype(np.uint8))
    starts = bucket_starts(sizes[kept], columns)
    asked = Asked(run, created, statistic, of, Rows([group.places for group in groups]))
    cells = joined(
        [read(connection, asked, piece).first(piece.buckets) for piece in pieces]
    ).columns(kept, starts)
    return Heatmap(
        groups,
        np.minimum.reduceat(first_steps[kept], starts),
        np.maximum.reduceat(last_steps[kept], starts),
        cells.values(),
        cells.states,
    )


def _matching(connection: Connection, run: str, names: Sequence[str], match: str) -> Sequence[int]:
    return places_between(names, match) or chosen_places(connection, run, match)
