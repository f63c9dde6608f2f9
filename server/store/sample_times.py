"""When the samples of a run were taken, as far as the store still has them one by one."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from sqlalchemy import Connection, Row, select

from ..protocol.history import SampleTimes
from .levels.axes import unpack_block_axis
from .levels.cover import Range
from .levels.sizes import BLOCK_LEVEL, RAW_LEVEL
from .runs import run_record
from .step_range import step_range
from .tables import spans
from .tiles import Axis, unpack_axis


def sample_times(
    connection: Connection, run: str, first: int | None, last: int | None, points: int
) -> SampleTimes:
    """Return about `points` samples of a range, at even distances, with the first and the last.

    Of a step that a resumed job took again the later sample counts, so that steps grow. Times go
    back where the clock of the job's machine was set back. Raises `UnknownRun` and `ReversedRange`.
    """
    run_record(connection, run)
    step_range(first, last)
    stored = (spans.c.run == run, spans.c.level.in_((RAW_LEVEL, BLOCK_LEVEL)))
    query = select(spans.c.first).where(*stored).order_by(spans.c.first)
    firsts = list(connection.scalars(Range(first, last).of_spans(query)))
    chosen = connection.execute(
        select(spans.c.level, spans.c.samples, spans.c.axis)
        .where(
            *stored, spans.c.first.in_([firsts[place] for place in _evenly(len(firsts), points)])
        )
        .order_by(spans.c.first)
    ).all()
    each = max(2, ceil(points / max(1, len(chosen))))
    found = [pair for row in chosen for pair in _samples(row, first, last, each)]
    kept: list[tuple[int, float]] = []
    for step, time in reversed(found):
        if not kept or step < kept[-1][0]:
            kept.append((step, time))
    kept.reverse()
    return SampleTimes(steps=[step for step, _ in kept], times=[time for _, time in kept])


def _samples(
    row: Row[int, int, bytes], first: int | None, last: int | None, count: int
) -> Sequence[tuple[int, float]]:
    packed: Axis = (
        unpack_axis(row.axis, row.samples)
        if row.level == RAW_LEVEL
        else unpack_block_axis(row.axis)
    )
    steps = packed.steps.astype(np.int64)
    inside = np.flatnonzero(Range(first, last).of_buckets(steps, steps))
    places = inside[_evenly(len(inside), count)]
    return list(zip(steps[places].tolist(), packed.times[places].tolist(), strict=True))


def _evenly(length: int, count: int) -> list[int]:
    """Return at most so many places of a list, the first and the last among them."""
    if length <= count:
        return list(range(length))
    places: list[int] = np.unique(np.linspace(0, length - 1, count).round().astype(int)).tolist()
    return places
