"""Samples in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, Select, and_, func, insert, select

from ..protocol.frames import Sample
from ..protocol.states import State
from ..protocol.statistics import SHARED_OUT, STATES_CODE, Statistic
from . import tiles as packing
from .guard import guarded, logged
from .levels.axes import unpack_block_axis
from .levels.columns import unpack_value_columns
from .levels.sizes import BLOCK_LEVEL, BLOCK_SAMPLES, RAW_LEVEL
from .tables import spans, tiles
from .tiles import BLOCK

LOOKED_BACK = 512
"""Spans that are looked through for the latest value of a statistic that few parameters have in
each sample: more than a probe's turn through all parameters makes."""

LOOKED_BACK_BLOCKS = 4
"""Blocks of samples that are looked through for it behind those."""


@dataclass(frozen=True, slots=True)
class Latest:
    """The latest figures of every parameter; `step` is None before the first sample."""

    step: int | None
    states: NDArray[np.uint8]
    grad_norm: NDArray[np.float32]
    grad_max: NDArray[np.float32]
    update_ratio: NDArray[np.float32]
    weight_norm: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Recent:
    """The last samples of one statistic and of the states, both as (samples, parameters)."""

    steps: list[int]
    values: NDArray[np.float32]
    states: NDArray[np.uint8]


def append_samples(connection: Connection, run: str, first: int, samples: Sequence[Sample]) -> None:
    """Append samples as one span; `first` is the number of the first among the run's samples."""
    steps = [sample.step for sample in samples]
    connection.execute(
        insert(spans).values(
            run=run,
            level=RAW_LEVEL,
            first=first,
            samples=len(samples),
            first_step=min(steps),
            last_step=max(steps),
            axis=packing.pack_axis(packing.axis_of(samples)),
        )
    )
    rows = [
        {
            "run": run,
            "level": RAW_LEVEL,
            "statistic": tile.statistic,
            "block": tile.block,
            "first": first,
            "width": tile.width,
            "data": tile.data,
        }
        for tile in packing.pack_tiles(samples)
    ]
    if rows:
        connection.execute(insert(tiles), rows)


def read_latest(connection: Connection, run: str, parameters: int) -> Latest:
    """Return the latest state and figures of every parameter."""
    states = np.full(parameters, State.UNMEASURED, np.uint8)
    norms = np.full(parameters, np.nan, np.float32)
    largest = np.full(parameters, np.nan, np.float32)
    ratios, weights = (_latest_shared(connection, run, each, parameters) for each in SHARED_OUT)
    span = connection.execute(_last_spans(run, 1)).one_or_none()
    if span is None:
        return Latest(None, states, norms, largest, ratios, weights)
    for tile in _tiles_from(connection, run, STATES_CODE, span.first):
        with guarded(_unreadable(run, tile)):
            rows = packing.unpack_states(tile.data, span.samples, tile.width)
            _place(states, tile.block, rows[-1])
    for tile in _tiles_from(connection, run, Statistic.GRAD_NORM, span.first):
        with guarded(_unreadable(run, tile)):
            numbers = packing.unpack_values(tile.data, span.samples, tile.width)
            _place(norms, tile.block, numbers[-1])
    for tile in _last_tiles(connection, run, Statistic.GRAD_MAX):
        with guarded(_unreadable(run, tile)):
            numbers = (
                packing.unpack_values(tile.data, tile.samples, tile.width)
                if tile.level == RAW_LEVEL
                else unpack_value_columns(tile.data, tile.samples, range(tile.width))
            )
            measured = np.flatnonzero(~np.isnan(numbers).all(axis=1))
            if len(measured):
                _place(largest, tile.block, numbers[measured[-1]])
    step = int(packing.unpack_axis(span.axis, span.samples).steps[-1])
    return Latest(step, states, norms, largest, ratios, weights)


def _latest_shared(
    connection: Connection, run: str, statistic: int, parameters: int
) -> NDArray[np.float32]:
    """Return each parameter's latest value of a statistic that few have in each sample."""
    found = np.full(parameters, np.nan, np.float32)
    chosen = connection.execute(_last_spans(run, LOOKED_BACK)).all()[::-1]
    if chosen:
        placed = _placed(connection, run, statistic, chosen)
        for tile, _, samples in sorted(placed, key=lambda each: each[1]):
            with guarded(_unreadable(run, tile)):
                start = tile.block * BLOCK
                part = found[start : start + tile.width]
                for row in packing.unpack_values(tile.data, samples, tile.width):
                    known = ~np.isnan(row[: len(part)])
                    part[known] = row[: len(part)][known]
    for tile in _newest_blocks(connection, run, statistic):
        with guarded(_unreadable(run, tile)):
            _complete(found[tile.block * BLOCK :][: tile.width], tile)
    return found


def _complete(part: NDArray[np.float32], tile: Row[Any]) -> None:
    """Fill in the latest values of a tile where there is none yet."""
    unknown = np.flatnonzero(np.isnan(part))
    values = unpack_value_columns(tile.data, tile.samples, unknown.tolist())
    there = ~np.isnan(values)
    measured = there.any(axis=0)
    last = len(values) - 1 - np.argmax(there[::-1], axis=0)
    part[unknown[measured]] = values[last, np.arange(len(unknown))][measured]


def read_recent(connection: Connection, run: str, parameters: int, points: int) -> Recent:
    """Return the last `points` samples of every parameter: `grad_norm` and the state."""
    chosen: list[Row[Any]] = []
    held = 0
    for span in connection.execute(_last_spans(run, points)):
        chosen.append(span)
        held += span.samples
        if held >= points:
            break
    chosen.reverse()
    values = np.full((held, parameters), np.nan, np.float32)
    states = np.full((held, parameters), State.UNMEASURED, np.uint8)
    if chosen:
        for tile, rows, samples in _placed(connection, run, Statistic.GRAD_NORM, chosen):
            with guarded(_unreadable(run, tile)):
                _fill(values, rows, tile, packing.unpack_values(tile.data, samples, tile.width))
        for tile, rows, samples in _placed(connection, run, STATES_CODE, chosen):
            with guarded(_unreadable(run, tile)):
                _fill(states, rows, tile, packing.unpack_states(tile.data, samples, tile.width))
    steps = [
        step
        for span in chosen
        for step in packing.unpack_axis(span.axis, span.samples).steps.tolist()
    ]
    return Recent(steps[-points:], values[-points:], states[-points:])


def read_last_steps(connection: Connection, run: str, count: int) -> NDArray[np.int64]:
    """Return the steps of the latest `count` samples, oldest first."""
    parts: list[NDArray[np.int64]] = []
    held = 0
    blocks = -(-count // BLOCK_SAMPLES)
    for query in (_last_spans(run, count), _last_spans(run, blocks + 1, BLOCK_LEVEL)):
        for span in connection.execute(query):
            if held >= count:
                break
            axis = (
                packing.unpack_axis(span.axis, span.samples)
                if span.level == RAW_LEVEL
                else unpack_block_axis(span.axis)
            )
            parts.append(axis.steps.astype(np.int64))
            held += span.samples
    return np.concatenate([np.empty(0, np.int64), *reversed(parts)])[-count:]


def _unreadable(run: str, tile: Row[Any]) -> Callable[[Exception], None]:
    return logged("Block %d of the latest samples of run %s cannot be read", tile.block, run)


def _last_spans(run: str, limit: int, level: int = RAW_LEVEL) -> Select[Any]:
    return (
        select(spans)
        .where(spans.c.run == run, spans.c.level == level)
        .order_by(spans.c.first.desc())
        .limit(limit)
    )


def _tiles_from(connection: Connection, run: str, statistic: int, first: int) -> Sequence[Any]:
    return connection.execute(
        select(tiles).where(
            tiles.c.run == run,
            tiles.c.level == RAW_LEVEL,
            tiles.c.statistic == statistic,
            tiles.c.first >= first,
        )
    ).all()


def _last_tiles(connection: Connection, run: str, statistic: int) -> Sequence[Any]:
    """Return the last tile of each block, of the last block of samples where none is newer."""
    newest: dict[int, Row[Any]] = {}
    for tile in _newest_blocks(connection, run, statistic, 1):
        newest[tile.block] = tile
    last = (
        select(tiles.c.block, func.max(tiles.c.first).label("first"))
        .where(tiles.c.run == run, tiles.c.level == RAW_LEVEL, tiles.c.statistic == statistic)
        .group_by(tiles.c.block)
        .subquery()
    )
    of_statistic = _with_samples(run, RAW_LEVEL, statistic).join(
        last, and_(tiles.c.block == last.c.block, tiles.c.first == last.c.first)
    )
    for tile in connection.execute(of_statistic):
        newest[tile.block] = tile
    return list(newest.values())


def _newest_blocks(
    connection: Connection, run: str, statistic: int, count: int = LOOKED_BACK_BLOCKS
) -> Sequence[Row[Any]]:
    """Return a statistic's tiles of the newest blocks of samples, newest first."""
    last = connection.scalars(
        _last_spans(run, count, BLOCK_LEVEL).with_only_columns(spans.c.first)
    ).all()
    if not last:
        return []
    query = _with_samples(run, BLOCK_LEVEL, statistic).where(tiles.c.first >= last[-1])
    return connection.execute(query.order_by(tiles.c.first.desc())).all()


def _with_samples(run: str, level: int, statistic: int) -> Select[Any]:
    return (
        select(tiles, spans.c.samples)
        .join(
            spans,
            and_(
                spans.c.run == tiles.c.run,
                spans.c.level == tiles.c.level,
                spans.c.first == tiles.c.first,
            ),
        )
        .where(tiles.c.run == run, tiles.c.level == level, tiles.c.statistic == statistic)
    )


def _placed(
    connection: Connection, run: str, statistic: int, chosen: Sequence[Row[Any]]
) -> Iterator[tuple[Row[Any], int, int]]:
    """Yield the tiles of neighbouring spans up to the last: each, its first row and its samples."""
    first = chosen[0].first
    samples = {span.first: span.samples for span in chosen}
    for tile in _tiles_from(connection, run, statistic, first):
        yield tile, tile.first - first, samples[tile.first]


def _fill(target: NDArray[Any], row: int, tile: Row[Any], part: NDArray[Any]) -> None:
    start = tile.block * BLOCK
    target[row : row + len(part), start : start + tile.width] = part


def _place(target: NDArray[Any], block: int, row: NDArray[Any]) -> None:
    target[block * BLOCK : block * BLOCK + len(row)] = row
