"""Which spans, of which level, a range of steps is read from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, Select, func, select

from ..guard import guarded, logged
from ..tables import spans
from ..tiles import Axis, unpack_axis
from .axes import unpack_block_axis, unpack_bucket_axis
from .sizes import BLOCK_LEVEL, RAW_LEVEL, bucket_samples

Steps = NDArray[np.int64]
Enough = Callable[[int, int], bool]
"""Says whether so many buckets of a level are enough; coarser levels are asked about first."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Buckets of one span that follow each other; below the pyramid a bucket is a sample."""

    level: int
    first: int
    """The number of the span's first sample, by which its tiles are found."""
    buckets: int
    """The number of the span's buckets, counted from its first, that belong to the piece."""
    held: int
    """The number of buckets that the span has."""
    first_steps: Steps
    last_steps: Steps
    axis: Axis | None
    """The steps, times and flags of samples; None in the pyramid."""


@dataclass(frozen=True, slots=True)
class Range:
    """Steps between two, both included; None for an open end."""

    first: int | None = None
    last: int | None = None

    def of_spans(self, query: Select[Any]) -> Select[Any]:
        """Return a query of spans that leaves out those without a step of the range."""
        if self.first is not None:
            query = query.where(spans.c.last_step >= self.first)
        if self.last is not None:
            query = query.where(spans.c.first_step <= self.last)
        return query

    def of_buckets(self, first_steps: Steps, last_steps: Steps) -> NDArray[np.bool_]:
        """Return which buckets have steps of the range."""
        kept = np.ones(len(first_steps), bool)
        if self.first is not None:
            kept &= last_steps >= self.first
        if self.last is not None:
            kept &= first_steps <= self.last
        return kept


def cover(connection: Connection, run: str, steps: Range, enough: Enough) -> list[Piece]:
    """Return what a range is read from, in the order of the samples.

    That is the coarsest level that has enough buckets of it. What is newer than this level is read
    from finer ones, and what is older than anything that is left of it from coarser ones.
    """
    top = connection.scalar(select(func.max(spans.c.level)).where(spans.c.run == run))
    if top is None:
        return []
    coarser: list[list[Piece]] = []
    level = top
    found = _pieces(connection, run, level, steps, 0)
    while level > BLOCK_LEVEL and not enough(level, _count(found, steps)):
        coarser.append(found)
        level -= 1
        found = _pieces(connection, run, level, steps, 0)
    for finer in range(level - 1, RAW_LEVEL - 1, -1):
        found += _pieces(connection, run, finer, steps, _end(found))
    for older in reversed(coarser):
        found = _before(older, found) + found
    return found


def _count(pieces: Sequence[Piece], steps: Range) -> int:
    """Return how many buckets are in a range: a piece at its edge may have few of its own."""
    kept = (steps.of_buckets(piece.first_steps, piece.last_steps) for piece in pieces)
    return sum(int(each.sum()) for each in kept)


def _end(pieces: Sequence[Piece]) -> int:
    if not pieces:
        return 0
    return pieces[-1].first + pieces[-1].held * bucket_samples(pieces[-1].level)


def _before(older: Iterable[Piece], found: Sequence[Piece]) -> list[Piece]:
    """Return what of coarser pieces lies before the first of finer ones."""
    if not found:
        return list(older)
    cut = []
    for piece in older:
        buckets = min(piece.held, (found[0].first - piece.first) // bucket_samples(piece.level))
        if buckets > 0:
            cut.append(replace(piece, buckets=buckets))
    return cut


def _pieces(connection: Connection, run: str, level: int, steps: Range, start: int) -> list[Piece]:
    query = (
        select(spans.c.first, spans.c.samples, spans.c.axis)
        .where(spans.c.run == run, spans.c.level == level, spans.c.first >= start)
        .order_by(spans.c.first)
    )
    found = []
    for row in connection.execute(steps.of_spans(query)):
        with guarded(logged("The samples of run %s from %d on cannot be read", run, row.first)):
            found.append(_piece(level, row))
    return found


def _piece(level: int, row: Row[Any]) -> Piece:
    if level > BLOCK_LEVEL:
        first_steps, last_steps = unpack_bucket_axis(row.axis)
        count = len(first_steps)
        return Piece(level, row.first, count, count, first_steps, last_steps, None)
    axis = unpack_axis(row.axis, row.samples) if level == RAW_LEVEL else unpack_block_axis(row.axis)
    steps = axis.steps.astype(np.int64)
    return Piece(level, row.first, len(steps), len(steps), steps, steps, axis)
