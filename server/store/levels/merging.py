"""Merging what a run has stored: read and computed apart, then changed in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select

from ..merges import Outdated
from ..runs import is_kept
from ..tables import spans, tiles
from .blocks import block_of_spans, gathered
from .coarsening import coarsened
from .contents import block_count, stored_codes
from .plan import Extent, next_block, next_gathering, next_tile
from .rows import SpanRow, TileRow
from .sizes import FIRST_PYRAMID_LEVEL, RAW_LEVEL, tile_samples


@dataclass(frozen=True)
class Merge:
    """A change of a run: spans of a level that are replaced by others, or that others come from."""

    run: str
    level: int
    sources: Sequence[int]
    """The first samples of the spans that are taken away, one behind the other."""
    spans: Sequence[SpanRow]
    tiles: Sequence[TileRow]

    def apply(self, connection: Connection) -> None:
        """Do it in the caller's transaction; raises `Outdated` when anything else came between."""
        if not is_kept(connection, self.run):
            raise Outdated(f"run {self.run} is deleted")
        if self.sources:
            self._remove(connection, self.sources[0], self.sources[-1])
        connection.execute(insert(spans), list(self.spans))
        if self.tiles:
            connection.execute(insert(tiles), list(self.tiles))

    def _remove(self, connection: Connection, first: int, last: int) -> None:
        gone = connection.execute(
            delete(spans).where(
                spans.c.run == self.run,
                spans.c.level == self.level,
                spans.c.first.between(first, last),
            )
        )
        if gone.rowcount != len(self.sources):
            raise Outdated(f"{gone.rowcount} of {len(self.sources)} spans are there")
        connection.execute(
            delete(tiles).where(
                tiles.c.run == self.run,
                tiles.c.level == self.level,
                # Named one by one, so that the key finds the few among all of the level.
                tiles.c.statistic.in_(stored_codes(connection, self.run, self.level)),
                tiles.c.block.in_(range(block_count(connection, self.run, self.level))),
                tiles.c.first.between(first, last),
            )
        )


def next_merge(connection: Connection, run: str) -> Merge | None:
    """Compute the next change of a run; None when nothing is to be merged."""
    tile = _next_pyramid_tile(connection, run)
    if tile is not None:
        return _coarsening(connection, run, *tile)
    raw = _raw_samples(connection, run)
    if raw is None:
        return None
    block = next_block(raw)
    if block is not None:
        sources = _spans_in(connection, run, RAW_LEVEL, block)
        return _replacement(run, sources, *block_of_spans(connection, run, sources, block))
    group = next_gathering(_extents(connection, run, RAW_LEVEL, raw.first))
    if group:
        whole = Extent(group[0].first, group[-1].end - group[0].first)
        sources = _spans_in(connection, run, RAW_LEVEL, whole)
        return _replacement(run, sources, *gathered(connection, run, sources))
    return None


class SampleMerges:
    """Finds what is to be merged of samples."""

    def next_merge(self, connection: Connection, run: str) -> Merge | None:
        """Compute the next change of a run; None when nothing is to be merged."""
        return next_merge(connection, run)

    def unmerged_runs(self, connection: Connection) -> list[str]:
        """Return the runs that have samples as commits brought them."""
        query = select(spans.c.run).where(spans.c.level == RAW_LEVEL).group_by(spans.c.run)
        return list(connection.scalars(query))


def _replacement(
    run: str, sources: Sequence[Row[Any]], made: Sequence[SpanRow], found: Sequence[TileRow]
) -> Merge:
    return Merge(run, sources[0].level, [span.first for span in sources], made, found)


def _coarsening(connection: Connection, run: str, below: int, level: int, tile: Extent) -> Merge:
    sources = _spans_in(connection, run, below, tile)
    rows = coarsened(connection, run, sources, level)
    return _replacement(run, sources, *rows) if below == level else Merge(run, below, [], *rows)


def _next_pyramid_tile(connection: Connection, run: str) -> tuple[int, int, Extent] | None:
    """Return the next tile of the pyramid, behind the level that it is made of and its own.

    Those of the lowest level come with each block, and are put together when they fill a tile.
    """
    level = FIRST_PYRAMID_LEVEL
    size = tile_samples(level)
    start = _end(connection, run, level + 1)
    parts = [each for each in _extents(connection, run, level, start) if each.samples < size]
    tile = next_tile(parts, size)
    if tile is not None:
        return level, level, tile
    while (below := _end(connection, run, level)) > 0:
        level += 1
        size = tile_samples(level)
        start = _end(connection, run, level)
        if below - start >= size:
            tile = next_tile(_extents(connection, run, level - 1, start), size)
            if tile is not None:
                return level - 1, level, tile
    return None


def _raw_samples(connection: Connection, run: str) -> Extent | None:
    """Return the samples at level 0; they follow each other."""
    query = select(func.min(spans.c.first))
    first = connection.scalar(query.where(spans.c.run == run, spans.c.level == RAW_LEVEL))
    return None if first is None else Extent(first, _end(connection, run, RAW_LEVEL) - first)


def _end(connection: Connection, run: str, level: int) -> int:
    """Return the number behind the last sample of a level; 0 for none."""
    query = select(func.max(spans.c.first)).where(spans.c.run == run, spans.c.level == level)
    last = connection.execute(
        select(spans.c.first, spans.c.samples).where(
            spans.c.run == run, spans.c.level == level, spans.c.first == query.scalar_subquery()
        )
    ).one_or_none()
    return 0 if last is None else int(last.first + last.samples)


def _spans_in(connection: Connection, run: str, level: int, extent: Extent) -> Sequence[Row[Any]]:
    return connection.execute(
        select(spans)
        .where(spans.c.run == run, spans.c.level == level)
        .where(spans.c.first.between(extent.first, extent.end - 1))
        .order_by(spans.c.first)
    ).all()


def _extents(connection: Connection, run: str, level: int, start: int) -> list[Extent]:
    rows = connection.execute(
        select(spans.c.first, spans.c.samples)
        .where(spans.c.run == run, spans.c.level == level, spans.c.first >= start)
        .order_by(spans.c.first)
    )
    return [Extent(row.first, row.samples) for row in rows]
