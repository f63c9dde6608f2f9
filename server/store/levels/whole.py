"""One piece of a run for many parameters at once, as a heat map wants it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, select

from ...protocol.states import State
from ...protocol.statistics import STATES_CODE
from ..guard import guarded, logged
from ..tables import tiles
from ..tiles import BLOCK
from .cover import Piece
from .pyramid import Figure, empty_figure, figure_of_samples, unpack_figure
from .reading import Buckets, codes_at, tile_states, tile_values
from .sizes import FIRST_PYRAMID_LEVEL


@dataclass(frozen=True, slots=True)
class Whole:
    """All buckets of a span: arrays of (places, buckets)."""

    buckets: Buckets
    complete: bool
    """Whether all that is stored of them could be read."""


def read_whole(
    connection: Connection,
    run: str,
    piece: Piece,
    statistic: int,
    figures: Sequence[Figure],
    blocks: Sequence[int],
) -> Whole:
    """Read all buckets of a piece's span for blocks of parameters.

    A block has `BLOCK` places, also where it has fewer parameters. What cannot be read is as if it
    had not been measured.
    """
    shape = (len(blocks) * BLOCK, piece.held)
    found = Buckets(
        np.full(shape, State.UNMEASURED, np.uint8),
        {figure: empty_figure(figure, shape) for figure in figures},
    )
    starts = {block: place * BLOCK for place, block in enumerate(blocks)}
    stored = _tiles(connection, run, piece, codes_at(piece.level, statistic, figures), blocks)
    filled = 0
    for tile in stored:
        with guarded(logged("Block %d of run %s cannot be read", tile.block, run)):
            _fill(found, statistic, tile, piece, starts)
            filled += 1
    return Whole(found, filled == len(stored))


def _tiles(
    connection: Connection, run: str, piece: Piece, codes: Sequence[int], blocks: Sequence[int]
) -> Sequence[Any]:
    query = select(
        tiles.c.level, tiles.c.statistic, tiles.c.block, tiles.c.width, tiles.c.data
    ).where(
        tiles.c.run == run,
        tiles.c.level == piece.level,
        tiles.c.statistic.in_(codes),
        tiles.c.block.in_(blocks),
        tiles.c.first == piece.first,
    )
    return connection.execute(query).all()


def _fill(
    found: Buckets, statistic: int, tile: Row[Any], piece: Piece, starts: Mapping[int, int]
) -> None:
    start = starts[tile.block]
    places, columns = slice(start, start + tile.width), range(tile.width)
    if tile.statistic == STATES_CODE:
        found.states[places] = tile_states(tile, piece, columns).T
    elif tile.level < FIRST_PYRAMID_LEVEL:
        values = tile_values(tile, piece, columns)
        for figure, whole in found.figures.items():
            whole[places] = figure_of_samples(figure, values).T
    else:
        for figure, whole in found.figures.items():
            if figure.of(statistic) == tile.statistic:
                whole[places] = unpack_figure(figure, tile.data, tile.width).T
