"""Samples in the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, Select, and_, func, insert, select

from ..protocol.frames import Sample
from ..protocol.states import State
from ..protocol.statistics import SHARED_OUT, STATES_CODE, Statistic
from . import tiles as packing
from .buckets import History
from .guard import guarded, logged
from .tables import spans, tiles
from .tiles import BLOCK, RAW_LEVEL

LOOKED_BACK = 512
"""Spans that are looked through for the latest value of a statistic that few parameters have in
each sample: more than a probe's turn through all parameters makes."""


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
            axis=packing.pack_axis(samples),
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


def read_histories(
    connection: Connection,
    run: str,
    positions: Sequence[int],
    statistic: int,
    first_step: int | None,
    last_step: int | None,
) -> dict[int, History]:
    """Return one statistic of several parameters between two steps, both included."""
    by_block: dict[int, set[int]] = defaultdict(set)
    for position in positions:
        block, column = packing.block_of(position)
        by_block[block].add(column)
    return {
        block * BLOCK + column: _between_steps(history, first_step, last_step)
        for block, columns in by_block.items()
        for column, history in _read_block(
            connection, run, block, columns, statistic, first_step, last_step
        ).items()
    }


def _read_block(
    connection: Connection,
    run: str,
    block: int,
    columns: Iterable[int],
    statistic: int,
    first_step: int | None,
    last_step: int | None,
) -> dict[int, History]:
    """Read the spans that touch the steps, and unpack each tile once for all its columns."""
    states, values = tiles.alias("states"), tiles.alias("numbers")
    query = (
        select(
            spans.c.first,
            spans.c.samples,
            spans.c.axis,
            states.c.width,
            states.c.data.label("states"),
            values.c.data.label("numbers"),
            values.c.width.label("numbers_width"),
        )
        .outerjoin(states, _tile_of(states, STATES_CODE, block))
        .outerjoin(values, _tile_of(values, statistic, block))
        .where(spans.c.run == run, spans.c.level == RAW_LEVEL)
        .order_by(spans.c.first)
    )
    parts: dict[int, list[History]] = {column: [] for column in columns}
    for row in connection.execute(_between(query, first_step, last_step)):
        with guarded(logged("The samples of run %s from %d on cannot be read", run, row.first)):
            for column, part in _columns(row, parts).items():
                parts[column].append(part)
    return {column: _joined(found) for column, found in parts.items()}


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
            numbers = packing.unpack_values(tile.data, tile.samples, tile.width)
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
    return found


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
    for span in connection.execute(_last_spans(run, count)):
        parts.append(packing.unpack_axis(span.axis, span.samples).steps.astype(np.int64))
        held += span.samples
        if held >= count:
            break
    return np.concatenate([np.empty(0, np.int64), *reversed(parts)])[-count:]


def _unreadable(run: str, tile: Row[Any]) -> Callable[[Exception], None]:
    return logged("Block %d of the latest samples of run %s cannot be read", tile.block, run)


def _tile_of(table: Any, statistic: int, block: int) -> Any:
    return and_(
        table.c.run == spans.c.run,
        table.c.level == spans.c.level,
        table.c.statistic == statistic,
        table.c.block == block,
        table.c.first == spans.c.first,
    )


def _between(query: Select[Any], first_step: int | None, last_step: int | None) -> Select[Any]:
    if first_step is not None:
        query = query.where(spans.c.last_step >= first_step)
    if last_step is not None:
        query = query.where(spans.c.first_step <= last_step)
    return query


def _between_steps(whole: History, first_step: int | None, last_step: int | None) -> History:
    keep = np.ones(len(whole.steps), bool)
    if first_step is not None:
        keep &= whole.steps >= first_step
    if last_step is not None:
        keep &= whole.steps <= last_step
    return History(whole.steps[keep], whole.values[keep], whole.states[keep])


def _columns(row: Row[Any], columns: Iterable[int]) -> dict[int, History]:
    """Return the columns of a span; parameters that came into the table later are unmeasured."""
    steps = packing.unpack_axis(row.axis, row.samples).steps.astype(np.int64)
    states = np.full((row.samples, BLOCK), State.UNMEASURED, np.uint8)
    values = np.full((row.samples, BLOCK), np.nan, np.float32)
    if row.states is not None:
        states[:, : row.width] = packing.unpack_states(row.states, row.samples, row.width)
    if row.numbers is not None:
        values[:, : row.numbers_width] = packing.unpack_values(
            row.numbers, row.samples, row.numbers_width
        )
    return {column: History(steps, values[:, column], states[:, column]) for column in columns}


def _joined(parts: Sequence[History]) -> History:
    if not parts:
        return History(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.uint8))
    return History(
        np.concatenate([part.steps for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.states for part in parts]),
    )


def _last_spans(run: str, limit: int) -> Select[Any]:
    return (
        select(spans)
        .where(spans.c.run == run, spans.c.level == RAW_LEVEL)
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
    of_statistic = and_(
        tiles.c.run == run, tiles.c.level == RAW_LEVEL, tiles.c.statistic == statistic
    )
    last = (
        select(tiles.c.block, func.max(tiles.c.first).label("first"))
        .where(of_statistic)
        .group_by(tiles.c.block)
        .subquery()
    )
    return connection.execute(
        select(tiles.c.block, tiles.c.width, tiles.c.data, spans.c.samples)
        .join(last, and_(tiles.c.block == last.c.block, tiles.c.first == last.c.first))
        .join(
            spans,
            and_(
                spans.c.run == tiles.c.run,
                spans.c.level == tiles.c.level,
                spans.c.first == tiles.c.first,
            ),
        )
        .where(of_statistic)
    ).all()


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
