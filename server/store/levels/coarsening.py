"""From tiles of the pyramid to a larger one, of the same level or of that above."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, select

from ...protocol.states import State
from ..tables import tiles
from .axes import pack_bucket_axis, unpack_bucket_axis
from .contents import block_count, stored_codes
from .plan import Extent
from .pyramid import (
    COUNTS_CODE,
    Array,
    Counts,
    Figure,
    empty_figure,
    merge_counts,
    merge_figures,
    statistic_of,
    unpack_counts,
    unpack_figure,
)
from .rows import SpanRow, TileRow, pyramid_tile_rows, span_row
from .sizes import bucket_samples

Tiles = Mapping[int, Sequence[Row[Any]]]
"""The tiles of one block of parameters, by their codes."""


def coarsened(
    connection: Connection, run: str, sources: Sequence[Row[Any]], level: int
) -> tuple[list[SpanRow], list[TileRow]]:
    """Make one tile of a level from neighbouring spans of it, or of the level below."""
    below = sources[0].level
    whole = Extent(sources[0].first, sum(span.samples for span in sources))
    ratio = bucket_samples(level) // bucket_samples(below)
    parts = [unpack_bucket_axis(span.axis) for span in sources]
    firsts = np.concatenate([part[0] for part in parts]).reshape(-1, ratio).min(axis=1)
    lasts = np.concatenate([part[1] for part in parts]).reshape(-1, ratio).max(axis=1)
    steps = np.concatenate([firsts, lasts])
    span = span_row(run, level, whole, steps, pack_bucket_axis(firsts, lasts))
    of_tile = select(tiles).where(
        tiles.c.run == run,
        tiles.c.level == below,
        tiles.c.statistic.in_(stored_codes(connection, run, below)),
        tiles.c.first.between(whole.first, whole.end - 1),
    )
    source = _Source(whole, bucket_samples(below), {each.first: each.samples for each in sources})
    found: list[TileRow] = []
    for block in range(block_count(connection, run, below)):
        rows = connection.execute(of_tile.where(tiles.c.block == block)).all()
        if not rows:
            continue
        by_code: dict[int, list[Row[Any]]] = {}
        for row in rows:
            by_code.setdefault(row.statistic, []).append(row)
        width = max(row.width for row in rows)
        counts = merge_counts(source.counts(by_code, width), ratio)
        figures = {
            statistic: merge_figures(statistic, source.figures(by_code, statistic, width), ratio)
            for statistic in sorted({statistic_of(code) for code in by_code} - {COUNTS_CODE})
        }
        found += pyramid_tile_rows(run, level, whole, block, counts, figures)
    return [span], found


class _Source:
    """The buckets that a larger tile is made of."""

    def __init__(self, whole: Extent, size: int, samples: Mapping[int, int]) -> None:
        """`size` is that of a bucket, `samples` the number of samples by a span's first."""
        self._whole = whole
        self._size = size
        self._samples = samples

    def counts(self, by_code: Tiles, width: int) -> Counts:
        """Return the counts of states, as (states, buckets, width)."""
        counts = np.zeros((len(State), self._whole.samples // self._size, width), np.uint32)
        counts[State.UNMEASURED] = self._size
        for row in by_code.get(COUNTS_CODE, ()):
            here = self._place(row)
            counts[:, here, : row.width] = unpack_counts(
                row.data, here.stop - here.start, row.width, self._size
            )
        return counts

    def figures(self, by_code: Tiles, statistic: int, width: int) -> dict[Figure, Array]:
        """Return the figures of a statistic, each as (buckets, width)."""
        found: dict[Figure, Array] = {}
        for figure in Figure:
            whole = empty_figure(figure, (self._whole.samples // self._size, width))
            for row in by_code.get(figure.of(statistic), ()):
                whole[self._place(row), : row.width] = unpack_figure(figure, row.data, row.width)
            found[figure] = whole
        return found

    def _place(self, row: Row[Any]) -> slice:
        start = (row.first - self._whole.first) // self._size
        return slice(start, start + self._samples[row.first] // self._size)
