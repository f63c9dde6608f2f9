"""The rows of spans and tiles, as they are inserted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...protocol.statistics import STATES_CODE
from ..tiles import Axis, pack_axis, pack_rows
from .plan import Extent
from .pyramid import (
    COUNTS_CODE,
    Array,
    Counts,
    Figure,
    States,
    pack_counts,
    pack_figure,
    rounded,
)
from .rounding import Values
from .sizes import RAW_LEVEL

SpanRow = dict[str, Any]
TileRow = dict[str, Any]


def span_row(
    run: str, level: int, extent: Extent, steps: NDArray[np.integer[Any]], axis: bytes
) -> SpanRow:
    """Return a span with the steps that it has, packed as `axis`."""
    return {
        "run": run,
        "level": level,
        "first": extent.first,
        "samples": extent.samples,
        "first_step": int(steps.min()),
        "last_step": int(steps.max()),
        "axis": axis,
    }


def tile_row(
    run: str, level: int, code: int, block: int, extent: Extent, width: int, data: bytes
) -> TileRow:
    """Return a tile of a span."""
    return {
        "run": run,
        "level": level,
        "statistic": code,
        "block": block,
        "first": extent.first,
        "width": width,
        "data": data,
    }


def raw_span_row(run: str, extent: Extent, axis: Axis) -> SpanRow:
    """Return a span of level 0."""
    return span_row(run, RAW_LEVEL, extent, axis.steps, pack_axis(axis))


def raw_tile_rows(
    run: str, extent: Extent, block: int, states: States, values: Mapping[int, Values]
) -> Iterator[TileRow]:
    """Yield the tiles of a block of parameters at level 0."""
    width = states.shape[1]
    yield tile_row(run, RAW_LEVEL, STATES_CODE, block, extent, width, pack_rows(states))
    for statistic, numbers in values.items():
        if not np.isnan(numbers).all():
            data = pack_rows(numbers)
            yield tile_row(run, RAW_LEVEL, statistic, block, extent, width, data)


def pyramid_tile_rows(
    run: str,
    level: int,
    extent: Extent,
    block: int,
    counts: Counts,
    statistics: Mapping[int, Mapping[Figure, Array]],
) -> Iterator[TileRow]:
    """Yield the tiles of a block of parameters in the pyramid, rounded as it keeps them."""
    width = counts.shape[2]
    yield tile_row(run, level, COUNTS_CODE, block, extent, width, pack_counts(counts))
    for statistic, figures in statistics.items():
        for figure, array in rounded(figures).items():
            data = pack_figure(figure, array)
            yield tile_row(run, level, figure.of(statistic), block, extent, width, data)
