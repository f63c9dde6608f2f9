"""Tracks: one statistic of parameters over a range of steps, from the level that suits it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection

from .buckets import History, Track
from .levels.cover import Enough, Range, cover
from .levels.pyramid import Figure
from .levels.reading import bucket_axis, read_buckets
from .tiles import BLOCK, block_of

_FIGURES = (Figure.LAST, Figure.LOW, Figure.HIGH, Figure.MEASURED)


def read_tracks(
    connection: Connection,
    run: str,
    positions: Sequence[int],
    statistic: int,
    steps: Range,
    points: int,
) -> dict[int, Track]:
    """Return one statistic of several parameters, in at least `points` buckets if there are."""
    return _tracks(connection, run, positions, statistic, steps, lambda _, found: found >= points)


def read_histories(
    connection: Connection,
    run: str,
    positions: Sequence[int],
    statistic: int,
    first_step: int | None,
    last_step: int | None,
) -> dict[int, History]:
    """Return one statistic of several parameters between two steps, sample by sample.

    Of what is kept no longer, it returns the last sample of each bucket.
    """
    steps = Range(first_step, last_step)
    tracks = _tracks(connection, run, positions, statistic, steps, lambda *_: False)
    return {
        place: History(track.steps, track.last, track.states) for place, track in tracks.items()
    }


def _tracks(
    connection: Connection,
    run: str,
    positions: Sequence[int],
    statistic: int,
    steps: Range,
    enough: Enough,
) -> dict[int, Track]:
    by_block: dict[int, list[int]] = defaultdict(list)
    for position in sorted(set(positions)):
        block, column = block_of(position)
        by_block[block].append(column)
    pieces = cover(connection, run, steps, enough)
    first_steps, last_steps, sizes = bucket_axis(pieces)
    kept = steps.of_buckets(first_steps, last_steps)
    found: dict[int, Track] = {}
    for block, columns in by_block.items():
        part = read_buckets(connection, run, pieces, statistic, _FIGURES, block, columns)
        for place, column in enumerate(columns):
            figures = {figure: part.figures[figure][kept, place] for figure in _FIGURES}
            found[block * BLOCK + column] = Track(
                first_steps=first_steps[kept],
                steps=last_steps[kept],
                sizes=sizes[kept],
                last=figures[Figure.LAST],
                low=figures[Figure.LOW],
                high=figures[Figure.HIGH],
                states=part.states[kept, place],
                measured=figures[Figure.MEASURED],
            )
    return found
