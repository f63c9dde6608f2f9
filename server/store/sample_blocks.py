"""All samples of a run, bit by bit: a stretch of samples, and in it a block of parameters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, Select, func, select

from ..protocol.states import State
from ..protocol.statistics import STATES_CODE
from . import tiles as packing
from .levels.axes import unpack_block_axis
from .levels.columns import unpack_state_columns, unpack_value_columns
from .levels.sizes import BLOCK_LEVEL, RAW_LEVEL
from .tables import spans, tiles
from .tiles import BLOCK, Axis

SAMPLES = 1024
"""Samples of a stretch, at most: with the parameters of a block some 2 MB of figures."""

# The levels that have samples: merging takes each from the first to the second.
_LEVELS = (RAW_LEVEL, BLOCK_LEVEL)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring samples, the first of which is the run's sample number `first`."""

    first: int
    axis: Axis

    @property
    def end(self) -> int:
        """Return the number of the sample behind the last."""
        return self.first + len(self.axis.steps)


@dataclass(frozen=True, slots=True)
class Block:
    """Figures of a block of parameters in a stretch, each (samples, BLOCK); NaN where is none."""

    states: NDArray[np.uint8]
    values: dict[int, NDArray[np.float32]]


def sampled_steps(connection: Connection, run: str) -> tuple[int, int] | None:
    """Return the lowest and the highest step that has a sample; None before the first.

    Those count that are kept in coarser steps only.
    """
    lowest, highest = connection.execute(
        select(func.min(spans.c.first_step), func.max(spans.c.last_step)).where(spans.c.run == run)
    ).one()
    return None if lowest is None else (lowest, highest)


def sample_count(connection: Connection, run: str) -> int:
    """Return the number behind that of the latest sample."""
    latest = connection.execute(_spans(run).order_by(spans.c.first.desc()).limit(1)).one_or_none()
    return 0 if latest is None else int(latest.first + latest.samples)


def next_stretch(
    connection: Connection,
    run: str,
    number: int,
    end: int,
    first_step: int | None,
    last_step: int | None,
) -> Stretch | None:
    """Return the next stretch from a sample's number on and before `end`, if there is one.

    Spans without a step of the range are passed over; steps outside it may still be there.
    """
    query = _overlapping(connection, run, number, end)
    if first_step is not None:
        query = query.where(spans.c.last_step >= first_step)
    if last_step is not None:
        query = query.where(spans.c.first_step <= last_step)
    begin = connection.execute(query.order_by(spans.c.first).limit(1)).one_or_none()
    if begin is None:
        return None
    number = max(number, begin.first)
    end = min(end, number + SAMPLES)
    found = connection.execute(_overlapping(connection, run, number, end).order_by(spans.c.first))
    parts = []
    reached = number
    for span in found:
        if span.first > reached:
            break  # what lay between was removed
        part = _axis(span)
        kept = slice(reached - span.first, end - span.first)
        parts.append((part.steps[kept], part.times[kept], part.skipped[kept]))
        reached += len(parts[-1][0])
    steps, times, skipped = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Stretch(number, Axis(steps, times, skipped))


def read_block(
    connection: Connection, run: str, block: int, stretch: Stretch, statistics: Iterable[int]
) -> Block:
    """Return the figures of a block of parameters in a stretch.

    Samples that were removed meanwhile are unmeasured.
    """
    size = (stretch.end - stretch.first, BLOCK)
    states = np.full(size, State.UNMEASURED, np.uint8)
    values = {code: np.full(size, np.nan, np.float32) for code in statistics}
    sizes = {
        span.first: span.samples
        for span in connection.execute(_overlapping(connection, run, stretch.first, stretch.end))
    }
    query = select(tiles).where(
        tiles.c.run == run,
        tiles.c.level.in_(_LEVELS),
        tiles.c.statistic.in_([STATES_CODE, *values]),
        tiles.c.block == block,
        tiles.c.first.between(min(sizes, default=0), stretch.end - 1),
    )
    for tile in connection.execute(query):
        samples = sizes[tile.first]
        if tile.statistic == STATES_CODE:
            _place(states, _states(tile, samples), tile, stretch)
        else:
            _place(values[tile.statistic], _values(tile, samples), tile, stretch)
    return Block(states, values)


def _axis(span: Row[Any]) -> Axis:
    if span.level == RAW_LEVEL:
        return packing.unpack_axis(span.axis, span.samples)
    return unpack_block_axis(span.axis)


def _states(tile: Row[Any], samples: int) -> NDArray[np.uint8]:
    if tile.level == RAW_LEVEL:
        return packing.unpack_states(tile.data, samples, tile.width)
    return unpack_state_columns(tile.data, samples, range(tile.width))


def _values(tile: Row[Any], samples: int) -> NDArray[np.float32]:
    if tile.level == RAW_LEVEL:
        return packing.unpack_values(tile.data, samples, tile.width)
    return unpack_value_columns(tile.data, samples, range(tile.width))


def _place(whole: NDArray[Any], part: NDArray[Any], tile: Row[Any], stretch: Stretch) -> None:
    """Put what a tile has of a stretch where it belongs."""
    offset = tile.first - stretch.first
    kept = part[max(0, -offset) : stretch.end - tile.first]
    start = max(0, offset)
    whole[start : start + len(kept), : tile.width] = kept


def _spans(run: str) -> Select[Any]:
    return select(spans).where(spans.c.run == run, spans.c.level.in_(_LEVELS))


def _overlapping(connection: Connection, run: str, number: int, end: int) -> Select[Any]:
    """Choose the spans that have a sample from `number` on and before `end`."""
    # The one that holds `number` is the last that begins there or before: spans do not overlap.
    holding = connection.scalar(
        select(func.max(spans.c.first)).where(
            spans.c.run == run, spans.c.level.in_(_LEVELS), spans.c.first <= number
        )
    )
    query = _spans(run).where(spans.c.first >= (holding or 0), spans.c.first < end)
    return query.where(spans.c.first + spans.c.samples > number)
