"""The figures and states of a range, from whatever levels cover it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, select

from ...protocol.states import State
from ...protocol.statistics import STATES_CODE
from ..guard import guarded, logged
from ..tables import tiles
from ..tiles import unpack_states, unpack_values
from .columns import unpack_state_columns, unpack_value_columns
from .cover import Piece, Steps
from .pyramid import (
    Array,
    Figure,
    States,
    empty_figure,
    figure_of_samples,
    unpack_figure,
    unpack_worst,
)
from .rounding import Values
from .sizes import BLOCK_LEVEL, FIRST_PYRAMID_LEVEL, RAW_LEVEL, bucket_samples


@dataclass(frozen=True, slots=True)
class Buckets:
    """Some columns of a block over the buckets of pieces: arrays of (buckets, columns)."""

    states: States
    """The worst state of each bucket."""
    figures: dict[Figure, Array]


def bucket_axis(pieces: Sequence[Piece]) -> tuple[Steps, Steps, NDArray[np.int64]]:
    """Return the lowest and the highest step of each bucket, and how many samples it has."""
    empty = np.empty(0, np.int64)
    firsts = [piece.first_steps[: piece.buckets] for piece in pieces]
    lasts = [piece.last_steps[: piece.buckets] for piece in pieces]
    sizes = [np.full(piece.buckets, bucket_samples(piece.level), np.int64) for piece in pieces]
    return (
        np.concatenate([empty, *firsts]),
        np.concatenate([empty, *lasts]),
        np.concatenate([empty, *sizes]),
    )


def read_buckets(
    connection: Connection,
    run: str,
    pieces: Sequence[Piece],
    statistic: int,
    figures: Sequence[Figure],
    block: int,
    columns: Sequence[int],
) -> Buckets:
    """Read some columns of a block; what cannot be read is as if it had not been measured."""
    shape = (sum(piece.buckets for piece in pieces), len(columns))
    found = Buckets(
        np.full(shape, State.UNMEASURED, np.uint8),
        {figure: empty_figure(figure, shape) for figure in figures},
    )
    at = 0
    for level, neighbours in groupby(pieces, lambda piece: piece.level):
        group = list(neighbours)
        codes = codes_at(level, statistic, figures)
        places = _places(group, at)
        at += sum(piece.buckets for piece in group)
        for tile in _tiles(connection, run, level, codes, block, group):
            if tile.first in places:
                with guarded(logged("Block %d of run %s cannot be read", block, run)):
                    _fill(found, statistic, tile, *places[tile.first], columns)
    return found


def codes_at(level: int, statistic: int, figures: Sequence[Figure]) -> list[int]:
    """Return under which codes a level has the states and these figures of a statistic."""
    if level < FIRST_PYRAMID_LEVEL:
        return [STATES_CODE, statistic]
    return [STATES_CODE, *(figure.of(statistic) for figure in figures)]


def _places(pieces: Sequence[Piece], at: int) -> dict[int, tuple[Piece, slice]]:
    places = {}
    for piece in pieces:
        places[piece.first] = piece, slice(at, at + piece.buckets)
        at += piece.buckets
    return places


def _tiles(
    connection: Connection,
    run: str,
    level: int,
    codes: Sequence[int],
    block: int,
    pieces: Sequence[Piece],
) -> Sequence[Any]:
    query = select(tiles.c.level, tiles.c.statistic, tiles.c.first, tiles.c.width, tiles.c.data)
    return connection.execute(
        query.where(
            tiles.c.run == run,
            tiles.c.level == level,
            tiles.c.statistic.in_(codes),
            tiles.c.block == block,
            tiles.c.first.between(pieces[0].first, pieces[-1].first),
        )
    ).all()


def _fill(
    found: Buckets,
    statistic: int,
    tile: Row[Any],
    piece: Piece,
    here: slice,
    columns: Sequence[int],
) -> None:
    there = [column for column in columns if column < tile.width]
    known = len(there)
    if tile.statistic == STATES_CODE:
        states = tile_states(tile, piece, there)
        found.states[here, :known] = states[: piece.buckets]
    elif tile.level < FIRST_PYRAMID_LEVEL:
        values = tile_values(tile, piece, there)
        for figure, whole in found.figures.items():
            whole[here, :known] = figure_of_samples(figure, values[: piece.buckets])
    else:
        for figure, whole in found.figures.items():
            if figure.of(statistic) == tile.statistic:
                array = unpack_figure(figure, tile.data, tile.width)
                whole[here, :known] = array[: piece.buckets, there]


def tile_states(tile: Row[Any], piece: Piece, columns: Sequence[int]) -> States:
    """Return the worst state of each bucket of a tile, as (buckets, columns)."""
    if tile.level == RAW_LEVEL:
        return unpack_states(tile.data, piece.held, tile.width, columns)
    if tile.level == BLOCK_LEVEL:
        return unpack_state_columns(tile.data, piece.held, columns)
    return unpack_worst(tile.data, piece.held, tile.width)[:, columns]


def tile_values(tile: Row[Any], piece: Piece, columns: Sequence[int]) -> Values:
    """Return the values of a tile below the pyramid, as (samples, columns)."""
    if tile.level == RAW_LEVEL:
        return unpack_values(tile.data, piece.held, tile.width, columns)
    return unpack_value_columns(tile.data, piece.held, columns)
