"""Runs too long to be made up sample by sample: a stretch is recorded, and the store repeats it.

The stretch is what a tile of the pyramid holds, recorded and merged as the server does. Its tile is
copied behind itself with later steps, and all levels above are then made by the server's own
merging. The newest stretches keep their samples one by one, the others in buckets only, which is
what `gradgate serve --keep` leaves of old samples.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from histories import made_up, merge_run, record_run
from sqlalchemy import Connection, delete, insert, literal, select, update

from gradgate.server.store.database import Store
from gradgate.server.store.levels.axes import (
    pack_block_axis,
    pack_bucket_axis,
    unpack_block_axis,
    unpack_bucket_axis,
)
from gradgate.server.store.levels.sizes import (
    BLOCK_LEVEL,
    BLOCK_SAMPLES,
    EXACT_SAMPLES,
    FIRST_PYRAMID_LEVEL,
    RAW_LEVEL,
    tile_samples,
)
from gradgate.server.store.recording import Received, record
from gradgate.server.store.tables import runs, spans, tiles

STRETCH = tile_samples(FIRST_PYRAMID_LEVEL)
KEPT_STRETCHES = 2
"""The newest stretches whose samples are kept one by one."""


def long_run(store: Store, samples: int, parameters: int) -> str:
    """Record a run of so many samples, of which the last few hundred are recorded singly."""
    run = record_run(store, STRETCH + BLOCK_SAMPLES + EXACT_SAMPLES, parameters, 64)
    stretches = (samples - EXACT_SAMPLES) // STRETCH
    with store.write() as connection:
        _forget_behind(connection, run)
    for place in range(1, stretches):
        with store.write() as connection:
            _repeat(connection, run, FIRST_PYRAMID_LEVEL, place * STRETCH)
            if place >= stretches - KEPT_STRETCHES:
                _repeat(connection, run, BLOCK_LEVEL, place * STRETCH)
    with store.write() as connection:
        _forget(connection, run, BLOCK_LEVEL, 0, STRETCH)
        end = stretches * STRETCH
        connection.execute(
            update(runs).where(runs.c.id == run).values(samples=end, step=end, last_seq=end)
        )
    merge_run(store, run)
    newest = (replace(each, seq=end + each.seq) for each in made_up(samples - end, parameters))
    received = [Received(replace(each, step=each.seq), each.time) for each in newest]
    for start in range(0, len(received), 64):
        with store.write() as connection:
            record(connection, run, received[start : start + 64])
    return run


def _forget_behind(connection: Connection, run: str) -> None:
    """Leave of a run what is in its first stretch."""
    for level in (RAW_LEVEL, BLOCK_LEVEL, FIRST_PYRAMID_LEVEL):
        _forget(connection, run, level, 0 if level == RAW_LEVEL else STRETCH, 2 * STRETCH)


def _forget(connection: Connection, run: str, level: int, first: int, end: int) -> None:
    for table in (spans, tiles):
        connection.execute(
            delete(table).where(
                table.c.run == run, table.c.level == level, table.c.first.between(first, end - 1)
            )
        )


def _repeat(connection: Connection, run: str, level: int, shift: int) -> None:
    """Copy a level of the first stretch so many samples, and as many steps, behind."""
    first = (spans.c.run == run, spans.c.level == level, spans.c.first < STRETCH)
    for span in connection.execute(select(spans).where(*first)).all():
        moved = span._asdict() | {
            "first": span.first + shift,
            "first_step": span.first_step + shift,
            "last_step": span.last_step + shift,
            "axis": _later(level, span.axis, shift),
        }
        connection.execute(insert(spans).values(moved))
    names = ["run", "level", "statistic", "block", "first", "width", "data"]
    copied = [
        tiles.c.first + literal(shift) if name == "first" else tiles.c[name] for name in names
    ]
    source = select(*copied).where(
        tiles.c.run == run, tiles.c.level == level, tiles.c.first < STRETCH
    )
    connection.execute(insert(tiles).from_select(names, source))


def _later(level: int, packed: bytes, shift: int) -> bytes:
    moved: bytes
    if level == BLOCK_LEVEL:
        axis = unpack_block_axis(packed)
        steps = (axis.steps + np.uint64(shift)).astype(axis.steps.dtype)
        moved = pack_block_axis(replace(axis, steps=steps, times=axis.times + 0.05 * shift))
    else:
        first_steps, last_steps = unpack_bucket_axis(packed)
        moved = pack_bucket_axis(first_steps + shift, last_steps + shift)
    return moved
