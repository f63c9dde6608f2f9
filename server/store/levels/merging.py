"""Merging what a run has stored: read and computed apart, then changed in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, delete, func, insert, select

from ...protocol.states import State
from ...protocol.statistics import STATES_CODE
from .. import tiles as packing
from ..tables import runs, spans, tiles
from ..tiles import Axis
from .axes import pack_block_axis, pack_bucket_axis, unpack_block_axis, unpack_bucket_axis
from .columns import (
    pack_state_columns,
    pack_value_columns,
    unpack_state_columns,
    unpack_value_columns,
)
from .contents import block_count, stored_codes
from .plan import Extent, next_block, next_gathering, next_tile
from .pyramid import (
    COUNTS_CODE,
    Array,
    Counts,
    Figure,
    States,
    count_of_samples,
    empty_figure,
    figures_of_samples,
    merge_counts,
    merge_figures,
    pack_counts,
    pack_figure,
    rounded,
    statistic_of,
    unpack_counts,
    unpack_figure,
)
from .raw import raw_axis, raw_blocks
from .rounding import BLOCK_BITS, Values, round_nearest
from .sizes import (
    BLOCK_LEVEL,
    BLOCK_SAMPLES,
    FIRST_PYRAMID_LEVEL,
    RAW_LEVEL,
    TILE_BUCKETS,
    bucket_samples,
    tile_samples,
)


class Outdated(Exception):
    """What was to be merged is no longer there as it was read."""


@dataclass(frozen=True)
class Merge:
    """A change of a run: spans of a level that are replaced by others, or that others come from."""

    run: str
    level: int
    sources: Sequence[int]
    """The first samples of the spans that are taken away."""
    spans: Sequence[dict[str, Any]]
    tiles: Sequence[dict[str, Any]]

    def apply(self, connection: Connection) -> None:
        """Do it in the caller's transaction; raises `Outdated` when anything else came between."""
        there = select(runs.c.id).where(runs.c.id == self.run)
        if connection.scalar(there) is None:
            raise Outdated(f"run {self.run} is deleted")
        if self.sources:
            first, last = self.sources[0], self.sources[-1]
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
                    tiles.c.first.between(first, last),
                )
            )
        connection.execute(insert(spans), list(self.spans))
        if self.tiles:
            connection.execute(insert(tiles), list(self.tiles))


def next_merge(connection: Connection, run: str) -> Merge | None:
    """Compute the next change of a run; None when nothing is to be merged."""
    extents = _extents(connection, run, RAW_LEVEL, 0)
    block = next_block(extents)
    if block is not None:
        return _block_merge(connection, run, _spans_in(connection, run, RAW_LEVEL, block), block)
    if tile := _next_pyramid_tile(connection, run):
        return _pyramid_merge(connection, run, *tile)
    gathered = next_gathering(extents)
    if gathered:
        whole = Extent(gathered[0].first, gathered[-1].end - gathered[0].first)
        return _gathering(connection, run, _spans_in(connection, run, RAW_LEVEL, whole))
    return None


def unmerged_runs(connection: Connection) -> list[str]:
    """Return the runs that have samples as commits brought them."""
    query = select(spans.c.run).where(spans.c.level == RAW_LEVEL).group_by(spans.c.run)
    return list(connection.scalars(query))


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


def _gathering(connection: Connection, run: str, rows: Sequence[Row[Any]]) -> Merge:
    axis = raw_axis(rows)
    whole = Extent(rows[0].first, len(axis.steps))
    found: list[dict[str, Any]] = []
    for block, states, values in raw_blocks(connection, run, rows):
        found += _raw_tiles(run, whole, block, states, values)
    return Merge(run, RAW_LEVEL, [row.first for row in rows], [_raw_span(run, whole, axis)], found)


def _block_merge(
    connection: Connection, run: str, rows: Sequence[Row[Any]], block: Extent
) -> Merge:
    """Make a block of the oldest samples; what its last span has beyond it stays a span."""
    axis = raw_axis(rows)
    size = block.samples
    made = [_span(run, BLOCK_LEVEL, block, axis.steps[:size], pack_block_axis(axis.part(0, size)))]
    rest = Extent(block.end, len(axis.steps) - size)
    if rest.samples:
        made.append(_raw_span(run, rest, axis.part(size)))
    found: list[dict[str, Any]] = []
    for place, states, values in raw_blocks(connection, run, rows):
        width = states.shape[1]
        packed = pack_state_columns(states[:size])
        found.append(_tile(run, BLOCK_LEVEL, STATES_CODE, place, block, width, packed))
        for statistic, numbers in values.items():
            if not np.isnan(numbers[:size]).all():
                data = pack_value_columns(round_nearest(numbers[:size], BLOCK_BITS))
                found.append(_tile(run, BLOCK_LEVEL, statistic, place, block, width, data))
        if rest.samples:
            later = {statistic: numbers[size:] for statistic, numbers in values.items()}
            found += _raw_tiles(run, rest, place, states[size:], later)
    return Merge(run, RAW_LEVEL, [row.first for row in rows], made, found)


def _next_pyramid_tile(connection: Connection, run: str) -> tuple[int, Extent] | None:
    """Return the lowest level that lacks a tile which the level below it fills, and that tile."""
    level = FIRST_PYRAMID_LEVEL
    while _last_first(connection, run, level - 1) is not None:
        size = tile_samples(level)
        last = _last_first(connection, run, level)
        start = 0 if last is None else last + size
        tile = next_tile(_extents(connection, run, level - 1, start), size)
        if tile is not None:
            return level, tile
        level += 1
    return None


def _last_first(connection: Connection, run: str, level: int) -> int | None:
    query = select(func.max(spans.c.first)).where(spans.c.run == run, spans.c.level == level)
    first: int | None = connection.scalar(query)
    return first


def _merged_counts(
    level: int, tile: Extent, width: int, rows: Sequence[Row[Any]], ratio: int
) -> Counts:
    size = bucket_samples(level - 1)
    if level - 1 == BLOCK_LEVEL:
        states = np.full((tile.samples, width), State.UNMEASURED, np.uint8)
        for row in rows:
            part = unpack_state_columns(row.data, BLOCK_SAMPLES, range(row.width))
            start = row.first - tile.first
            states[start : start + BLOCK_SAMPLES, : row.width] = part
        return count_of_samples(states, ratio)
    counts = np.zeros((len(State), tile.samples // size, width), np.uint32)
    counts[State.UNMEASURED] = size
    for row in rows:
        start = (row.first - tile.first) // size
        counts[:, start : start + TILE_BUCKETS, : row.width] = unpack_counts(
            row.data, TILE_BUCKETS, row.width, size
        )
    return merge_counts(counts, ratio)


def _merged_figures(
    level: int,
    tile: Extent,
    width: int,
    statistic: int,
    by_code: Mapping[int, Sequence[Row[Any]]],
    ratio: int,
) -> dict[Figure, Array]:
    size = bucket_samples(level - 1)
    shape = (tile.samples // size, width)
    if level - 1 == BLOCK_LEVEL:
        values = np.full(shape, np.nan, np.float32)
        for row in by_code[statistic]:
            part = unpack_value_columns(row.data, BLOCK_SAMPLES, range(row.width))
            start = row.first - tile.first
            values[start : start + BLOCK_SAMPLES, : row.width] = part
        return merge_figures(statistic, figures_of_samples(values), ratio)
    figures: dict[Figure, Array] = {}
    for figure in Figure:
        whole = empty_figure(figure, shape)
        for row in by_code.get(figure.of(statistic), ()):
            start = (row.first - tile.first) // size
            whole[start : start + TILE_BUCKETS, : row.width] = unpack_figure(
                figure, row.data, row.width
            )
        figures[figure] = whole
    return merge_figures(statistic, figures, ratio)


def _span(
    run: str, level: int, extent: Extent, steps: NDArray[np.integer[Any]], axis: bytes
) -> dict[str, Any]:
    return {
        "run": run,
        "level": level,
        "first": extent.first,
        "samples": extent.samples,
        "first_step": int(steps.min()),
        "last_step": int(steps.max()),
        "axis": axis,
    }


def _tile(
    run: str, level: int, code: int, block: int, extent: Extent, width: int, data: bytes
) -> dict[str, Any]:
    return {
        "run": run,
        "level": level,
        "statistic": code,
        "block": block,
        "first": extent.first,
        "width": width,
        "data": data,
    }


def _raw_span(run: str, extent: Extent, axis: Axis) -> dict[str, Any]:
    return _span(run, RAW_LEVEL, extent, axis.steps, packing.pack_axis(axis))


def _raw_tiles(
    run: str, extent: Extent, block: int, states: States, values: Mapping[int, Values]
) -> Iterator[dict[str, Any]]:
    width = states.shape[1]
    yield _tile(run, RAW_LEVEL, STATES_CODE, block, extent, width, packing.pack_rows(states))
    for statistic, numbers in values.items():
        if not np.isnan(numbers).all():
            data = packing.pack_rows(numbers)
            yield _tile(run, RAW_LEVEL, statistic, block, extent, width, data)


def _pyramid_merge(connection: Connection, run: str, level: int, tile: Extent) -> Merge:
    below = level - 1
    rows = _spans_in(connection, run, below, tile)
    firsts, lasts = _bucket_steps(rows, bucket_samples(level) // bucket_samples(below))
    span = _span(run, level, tile, np.concatenate([firsts, lasts]), pack_bucket_axis(firsts, lasts))
    found: list[dict[str, Any]] = []
    of_tile = select(tiles).where(
        tiles.c.run == run,
        tiles.c.level == below,
        tiles.c.statistic.in_(stored_codes(connection, run, below)),
        tiles.c.first.between(tile.first, tile.end - 1),
    )
    for block in range(block_count(connection, run, below)):
        of_block = connection.execute(of_tile.where(tiles.c.block == block)).all()
        if of_block:
            found += _pyramid_tiles(run, level, tile, block, of_block)
    return Merge(run, below, [], [span], found)


def _bucket_steps(
    rows: Sequence[Row[Any]], size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if rows[0].level == BLOCK_LEVEL:
        steps = np.concatenate([unpack_block_axis(row.axis).steps for row in rows])
        firsts = lasts = steps.astype(np.int64)
    else:
        parts = [unpack_bucket_axis(row.axis) for row in rows]
        firsts = np.concatenate([part[0] for part in parts])
        lasts = np.concatenate([part[1] for part in parts])
    return firsts.reshape(-1, size).min(axis=1), lasts.reshape(-1, size).max(axis=1)


def _pyramid_tiles(
    run: str, level: int, tile: Extent, block: int, rows: Sequence[Row[Any]]
) -> Iterator[dict[str, Any]]:
    width = max(row.width for row in rows)
    ratio = bucket_samples(level) // bucket_samples(level - 1)
    by_code: dict[int, list[Row[Any]]] = {}
    for row in rows:
        by_code.setdefault(row.statistic, []).append(row)
    counts = _merged_counts(level, tile, width, by_code.pop(COUNTS_CODE), ratio)
    yield _tile(run, level, COUNTS_CODE, block, tile, width, pack_counts(counts))
    for statistic in sorted({statistic_of(code) for code in by_code}):
        figures = _merged_figures(level, tile, width, statistic, by_code, ratio)
        for figure, array in rounded(figures).items():
            data = pack_figure(figure, array)
            yield _tile(run, level, figure.of(statistic), block, tile, width, data)
