"""Heat maps: a statistic of parameters or modules over buckets of steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from ..protocol.states import worst
from .buckets import bucket_starts
from .levels.cover import Range, cover
from .levels.pyramid import Figure
from .levels.reading import bucket_axis, read_buckets
from .levels.sizes import BLOCK_SAMPLES, FIRST_PYRAMID_LEVEL, bucket_samples
from .refusals import ReversedRange
from .rollup import Group, rolled_up
from .runs import run_record
from .tables import parameters
from .targets import chosen_places
from .tiles import BLOCK

Of = Literal["max", "min", "mean"]
Values = NDArray[np.float32]
States = NDArray[np.uint8]

SAMPLE_CELLS = 2_000_000
"""Figures of single samples that are read for one heat map, about; more are read in buckets."""

_FIGURES: dict[Of, tuple[Figure, ...]] = {
    "max": (Figure.HIGH,),
    "min": (Figure.LOW,),
    "mean": (Figure.LOG_MEAN, Figure.POSITIVE),
}


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
) -> Heatmap:
    """Return a heat map of at most so many columns and rows.

    A column may hold a few steps beside the range, where the store has them in one bucket. Raises
    `UnknownRun`, `UnknownParameter` and `ReversedRange`.
    """
    run_record(connection, run)
    if steps.first is not None and steps.last is not None and steps.first > steps.last:
        raise ReversedRange(steps.first, steps.last)
    places, names = _chosen(connection, run, match)
    groups = rolled_up(names, places, rows)

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
    cells = _Cells(of, len(starts), [place for group in groups for place in group.places])
    for block in sorted({place // BLOCK for place in places}):
        wanted = [place % BLOCK for place in places if place // BLOCK == block]
        part = read_buckets(connection, run, pieces, statistic, _FIGURES[of], block, wanted)
        figures = [part.figures[figure][kept] for figure in _FIGURES[of]]
        cells.add([block * BLOCK + column for column in wanted], figures, part.states[kept], starts)
    values, states = cells.grouped(np.cumsum([0, *(len(group.places) for group in groups)])[:-1])
    return Heatmap(
        groups,
        np.minimum.reduceat(first_steps[kept], starts),
        np.maximum.reduceat(last_steps[kept], starts),
        values,
        states,
    )


def _chosen(connection: Connection, run: str, match: str | None) -> tuple[list[int], list[str]]:
    query = select(parameters.c.position, parameters.c.name).where(parameters.c.run == run)
    names = {row.position: row.name for row in connection.execute(query)}
    places = chosen_places(connection, run, match)
    return places, [names[place] for place in places]


class _Cells:
    """The cells of parameters, filled block by block and then brought together in groups."""

    def __init__(self, of: Of, columns: int, order: Sequence[int]) -> None:
        """`order` has the places of the parameters, group by group."""
        self._of = of
        self._row = {place: row for row, place in enumerate(order)}
        shape = (len(order), columns)
        self._states = np.zeros(shape, np.uint8)
        self._figures = [np.full(shape, np.nan) for _ in _FIGURES[of]]

    def add(
        self,
        places: Sequence[int],
        figures: Sequence[NDArray[Any]],
        states: States,
        starts: NDArray[np.intp],
    ) -> None:
        """Add figures and states of (buckets, places), of which columns begin at `starts`."""
        rows = [self._row[place] for place in places]
        self._states[rows] = worst(states, starts).T
        for whole, part in zip(self._figures, self._reduced(figures, starts), strict=True):
            whole[rows] = part.T

    def grouped(self, starts: NDArray[np.intp]) -> tuple[Values, States]:
        """Return the values and states of groups, which begin at `starts`."""
        states = worst(self._states, starts)
        if self._of == "mean":
            logs, counts = (np.add.reduceat(each, starts, axis=0) for each in self._figures)
            with np.errstate(invalid="ignore"):
                return np.exp(logs / counts).astype(np.float32), states
        (values,) = self._reduced(self._figures, starts)
        return values.astype(np.float32), states

    def _reduced(
        self, figures: Sequence[NDArray[Any]], starts: NDArray[np.intp]
    ) -> list[NDArray[Any]]:
        """Bring neighbours together; of the mean, the sum of logarithms and their number."""
        if self._of == "mean":
            logs, counts = figures
            sums = np.where(counts > 0, logs, 0.0) * counts
            return [np.add.reduceat(each, starts, axis=0) for each in (sums, counts)]
        reduce = np.fmax if self._of == "max" else np.fmin
        return [reduce.reduceat(figures[0], starts, axis=0)]
