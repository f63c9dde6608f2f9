"""Spans of level 0 as arrays: the samples as commits brought them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, select

from ...protocol.states import State
from ...protocol.statistics import STATES_CODE
from ..tables import tiles
from ..tiles import Axis, unpack_axis, unpack_states, unpack_values
from .contents import block_count, stored_codes
from .pyramid import States
from .rounding import Values
from .sizes import RAW_LEVEL


def raw_axis(rows: Sequence[Row[Any]]) -> Axis:
    """Return the steps, times and flags of neighbouring spans."""
    parts = [unpack_axis(row.axis, row.samples) for row in rows]
    return Axis(
        np.concatenate([part.steps for part in parts]),
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.skipped for part in parts]),
    )


def raw_blocks(
    connection: Connection, run: str, rows: Sequence[Row[Any]]
) -> Iterator[tuple[int, States, dict[int, Values]]]:
    """Yield each block of parameters: its number, its states and its values by statistic.

    All are of (samples, width), where width is that of the last span: what earlier ones had fewer
    is unmeasured.
    """
    samples = {row.first: row.samples for row in rows}
    start = rows[0].first
    count = sum(samples.values())
    of_spans = select(tiles).where(
        tiles.c.run == run,
        tiles.c.level == RAW_LEVEL,
        tiles.c.first.between(start, rows[-1].first),
    )
    codes = stored_codes(connection, run, RAW_LEVEL)
    for block in range(block_count(connection, run, RAW_LEVEL)):
        of_block = of_spans.where(tiles.c.statistic.in_(codes), tiles.c.block == block)
        found = connection.execute(of_block).all()
        if not found:
            continue
        width = max(tile.width for tile in found)
        states = np.full((count, width), State.UNMEASURED, np.uint8)
        values: dict[int, Values] = {}
        for tile in found:
            here = slice(tile.first - start, tile.first - start + samples[tile.first])
            if tile.statistic == STATES_CODE:
                states[here, : tile.width] = unpack_states(
                    tile.data, samples[tile.first], tile.width
                )
                continue
            if tile.statistic not in values:
                values[tile.statistic] = np.full((count, width), np.nan, np.float32)
            values[tile.statistic][here, : tile.width] = unpack_values(
                tile.data, samples[tile.first], tile.width
            )
        yield block, states, values
