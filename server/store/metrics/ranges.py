"""A range of a metric in buckets: about as many are read as are wanted, however long the run is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Select, func, select

from ..step_range import StepRange
from ..tables import metric_blocks, metrics
from .buckets import Buckets, joined, of_values
from .packing import unpack_buckets, unpack_values
from .sizes import BLOCK_LEVEL, ENTRIES, FACTOR, bucket_values, tile_values
from .values import logged_order, of_metric


def metric_buckets(
    connection: Connection, run: str, name: str, steps: StepRange, points: int
) -> Buckets:
    """Return a range of a metric in at most `points` buckets, single values where they suffice.

    Every value of the range is in one bucket, and none from outside, unless the values themselves
    are no longer kept: then the buckets at the edges are those that are known.
    """
    return _Reader(connection, run, name, steps).read(points).spread(points)


@dataclass(frozen=True, slots=True)
class _Extent:
    """What a level holds: the values from a number up to another."""

    begin: int
    end: int


class _Reader:
    """Reads one metric."""

    def __init__(self, connection: Connection, run: str, name: str, steps: StepRange) -> None:
        self._connection = connection
        self._run = run
        self._name = name
        self._steps = steps
        self._unpacked: dict[tuple[int, int], Buckets | None] = {}
        query = (
            select(
                metric_blocks.c.level,
                func.min(metric_blocks.c.first).label("begin"),
                func.max(metric_blocks.c.first).label("latest"),
            )
            .where(of_metric(metric_blocks, run, name))
            .group_by(metric_blocks.c.level)
        )
        self._extents = {
            row.level: _Extent(row.begin, row.latest + tile_values(row.level))
            for row in connection.execute(query)
        }

    def read(self, points: int) -> Buckets:
        """Return buckets of the coarsest level that has as many as are wanted, if any has."""
        level = self._level_for(points)
        parts = [self._kept(*tile) for tile in self._cover(level)]
        return joined([*parts, self._newest()])

    def _newest(self) -> Buckets:
        """Return the values in the range that are rows still."""
        newest = (
            select(metrics.c.step, metrics.c.value)
            .where(of_metric(metrics, self._run, self._name))
            .where(metrics.c.step.between(self._steps.first, self._steps.last))
            .order_by(*logged_order())
        )
        rows = self._connection.execute(newest).all()
        steps, values = zip(*rows, strict=True) if rows else ((), ())
        return of_values(np.array(steps, np.int64), np.array(values, np.float64))

    def _level_for(self, points: int) -> int:
        """Return the coarsest level with enough buckets in the range, or the finest there is."""
        levels: list[int] = sorted(self._extents) or [BLOCK_LEVEL]
        for level in reversed(levels[1:]):
            count = select(func.count()).select_from(self._tiles(level).subquery())
            # Of the tiles at the edges there may be next to nothing in the range.
            tiles: int = self._connection.execute(count).scalar_one() - 2
            if tiles * ENTRIES >= points:
                return level
        return levels[0]

    def _cover(self, level: int) -> Iterator[tuple[int, int, Buckets]]:
        """Yield level, first and buckets of tiles that touch the range, each value in one of them.

        They are of the level, but where it does not reach: what is too new for it is only in finer
        levels, and what is too old may be only in coarser ones.
        """
        extent = self._extents.get(level, _Extent(0, 0))
        older: list[tuple[int, int, int]] = []
        begin = extent.begin
        for coarser in sorted(each for each in self._extents if each > level):
            older.append((coarser, 0, begin))
            begin = min(begin, self._extents[coarser].begin)
        newer = []
        end = extent.end
        for finer in sorted((each for each in self._extents if each < level), reverse=True):
            newer.append((finer, end, self._extents[finer].end))
            end = max(end, self._extents[finer].end)
        for at, first, behind in (*reversed(older), (level, extent.begin, extent.end), *newer):
            if first < behind:
                for tile in self._connection.execute(self._tiles(at, first, behind)):
                    yield at, tile.first, _unpack(tile.data, at)

    def _kept(self, level: int, first: int, buckets: Buckets) -> Buckets:
        """Return what is in the range: whole buckets, and finer ones where one is partly in it."""
        steps = self._steps
        touched = (steps.first <= buckets.high_step) & (buckets.low_step <= steps.last)
        held = (steps.first <= buckets.low_step) & (buckets.high_step <= steps.last)
        partly = np.flatnonzero(touched & ~held)
        parts = []
        done = 0
        for place in partly.tolist():
            here = slice(done, place)
            finer = self._finer(level - 1, first + place * bucket_values(level))
            edge = buckets.chosen(slice(place, place + 1)) if finer is None else finer
            parts += [buckets.chosen(here).chosen(held[here]), edge]
            done = place + 1
        return joined([*parts, buckets.chosen(slice(done, None)).chosen(held[done:])])

    def _finer(self, level: int, number: int) -> Buckets | None:
        """Return what is in the range of the buckets that one of the level above stands for.

        It begins at the value of a number. None: they are no longer kept.
        """
        size = tile_values(level)
        first = number // size * size
        if (level, first) not in self._unpacked:
            query = select(metric_blocks.c.data).where(
                of_metric(metric_blocks, self._run, self._name),
                metric_blocks.c.level == level,
                metric_blocks.c.first == first,
            )
            data = self._connection.scalar(query)
            self._unpacked[level, first] = None if data is None else _unpack(data, level)
        tile = self._unpacked[level, first]
        if tile is None:
            return None
        place = (number - first) // bucket_values(level)
        return self._kept(level, number, tile.chosen(slice(place, place + FACTOR)))

    def _tiles(self, level: int, first: int = 0, behind: int | None = None) -> Select[Any]:
        query = (
            select(metric_blocks.c.first, metric_blocks.c.data)
            .where(
                of_metric(metric_blocks, self._run, self._name),
                metric_blocks.c.level == level,
                metric_blocks.c.high_step >= self._steps.first,
                metric_blocks.c.low_step <= self._steps.last,
                metric_blocks.c.first >= first,
            )
            .order_by(metric_blocks.c.first)
        )
        return query if behind is None else query.where(metric_blocks.c.first < behind)


def _unpack(data: bytes, level: int) -> Buckets:
    if level > BLOCK_LEVEL:
        return unpack_buckets(data, level)
    values = unpack_values(data)
    return of_values(values.steps, values.values)
