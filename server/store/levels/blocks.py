"""From samples as commits brought them to blocks, with the buckets above them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row

from ...protocol.statistics import STATES_CODE
from .axes import pack_block_axis, pack_bucket_axis
from .columns import pack_state_columns, pack_value_columns
from .plan import Extent
from .pyramid import States, count_of_samples, figures_of_samples, merge_figures
from .raw import raw_axis, raw_blocks
from .rounding import BLOCK_BITS, Values, round_nearest
from .rows import (
    SpanRow,
    TileRow,
    pyramid_tile_rows,
    raw_span_row,
    raw_tile_rows,
    span_row,
    tile_row,
)
from .sizes import BLOCK_LEVEL, BLOCK_SAMPLES, FIRST_PYRAMID_LEVEL, bucket_samples

Rows = tuple[list[SpanRow], list[TileRow]]

_BUCKET = bucket_samples(FIRST_PYRAMID_LEVEL)


def gathered(connection: Connection, run: str, sources: Sequence[Row[Any]]) -> Rows:
    """Put neighbouring spans of level 0 together; nothing is rounded."""
    axis = raw_axis(sources)
    whole = Extent(sources[0].first, len(axis.steps))
    found: list[TileRow] = []
    for place, states, values in raw_blocks(connection, run, sources):
        found += raw_tile_rows(run, whole, place, states, values)
    return [raw_span_row(run, whole, axis)], found


def block_of_spans(
    connection: Connection, run: str, sources: Sequence[Row[Any]], block: Extent
) -> Rows:
    """Make a block of the oldest samples, and its buckets; what is beyond it stays at level 0.

    A block that does not begin at a multiple of its size has no buckets.
    """
    axis = raw_axis(sources)
    size = block.samples
    steps = axis.steps[:size].astype(np.int64)
    made = [span_row(run, BLOCK_LEVEL, block, steps, pack_block_axis(axis.part(0, size)))]
    whole = size == BLOCK_SAMPLES
    if whole:
        buckets = steps.reshape(-1, _BUCKET)
        packed = pack_bucket_axis(buckets.min(axis=1), buckets.max(axis=1))
        made.append(span_row(run, FIRST_PYRAMID_LEVEL, block, steps, packed))
    rest = Extent(block.end, len(axis.steps) - size)
    if rest.samples:
        made.append(raw_span_row(run, rest, axis.part(size)))
    found: list[TileRow] = []
    for place, states, values in raw_blocks(connection, run, sources):
        kept = {
            statistic: round_nearest(numbers[:size], BLOCK_BITS)
            for statistic, numbers in values.items()
            if not np.isnan(numbers[:size]).all()
        }
        found += _block_tiles(run, block, place, states[:size], kept)
        if whole:
            found += _bucket_tiles(run, block, place, states[:size], kept)
        if rest.samples:
            later = {statistic: numbers[size:] for statistic, numbers in values.items()}
            found += raw_tile_rows(run, rest, place, states[size:], later)
    return made, found


def _block_tiles(
    run: str, block: Extent, place: int, states: States, values: Mapping[int, Values]
) -> Iterator[TileRow]:
    width = states.shape[1]
    yield tile_row(run, BLOCK_LEVEL, STATES_CODE, place, block, width, pack_state_columns(states))
    for statistic, numbers in values.items():
        data = pack_value_columns(numbers)
        yield tile_row(run, BLOCK_LEVEL, statistic, place, block, width, data)


def _bucket_tiles(
    run: str, block: Extent, place: int, states: States, values: Mapping[int, Values]
) -> Iterator[TileRow]:
    figures = {
        statistic: merge_figures(statistic, figures_of_samples(numbers), _BUCKET)
        for statistic, numbers in values.items()
    }
    counts = count_of_samples(states, _BUCKET)
    return pyramid_tile_rows(run, FIRST_PYRAMID_LEVEL, block, place, counts, figures)
