"""What another server appended to a run, as the frames that it came in."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from ..protocol.frames import Sample
from ..protocol.probe_messages import Metrics
from ..protocol.states import State
from ..protocol.statistics import STATES_CODE
from .levels.sizes import RAW_LEVEL
from .tables import metrics, spans, tiles
from .tiles import BLOCK, unpack_axis, unpack_states, unpack_values


def read_samples(connection: Connection, run: str, first: int, last: int) -> list[Sample]:
    """Return the samples of the numbers `first` to `last`, without their `seq`.

    Those that have been merged into blocks since are left out.
    """
    # Small commits are put together meanwhile, so a span may begin before them and end behind.
    here = (spans.c.first <= last, spans.c.first + spans.c.samples > first)
    query = select(spans).where(spans.c.run == run, spans.c.level == RAW_LEVEL, *here)
    found: list[Sample] = []
    for span in connection.execute(query.order_by(spans.c.first)):
        of_span = select(tiles).where(
            tiles.c.run == run, tiles.c.level == RAW_LEVEL, tiles.c.first == span.first
        )
        samples = _samples(span, connection.execute(of_span).all())
        found += samples[max(0, first - span.first) : last + 1 - span.first]
    return found


def _samples(span: Any, parts: Any) -> list[Sample]:
    axis = unpack_axis(span.axis, span.samples)
    width = max((tile.block * BLOCK + tile.width for tile in parts), default=0)
    states = np.full((span.samples, width), State.UNMEASURED, np.uint8)
    values: dict[int, Any] = {}
    for tile in parts:
        columns = slice(tile.block * BLOCK, tile.block * BLOCK + tile.width)
        if tile.statistic == STATES_CODE:
            states[:, columns] = unpack_states(tile.data, span.samples, tile.width)
        else:
            whole = values.setdefault(
                tile.statistic, np.full((span.samples, width), np.nan, np.float32)
            )
            whole[:, columns] = unpack_values(tile.data, span.samples, tile.width)
    return [
        Sample(
            seq=0,
            step=int(axis.steps[place]),
            time=float(axis.times[place]),
            skipped=bool(axis.skipped[place]),
            states=states[place],
            # A statistic that this sample did not take is as a whole without values.
            values={
                code: rows[place]
                for code, rows in values.items()
                if not np.isnan(rows[place]).all()
            },
        )
        for place in range(span.samples)
    ]


def read_logged(connection: Connection, run: str, first: int, last: int) -> list[Metrics]:
    """Return what was logged with a `seq` from `first` to `last`, a frame a step."""
    query = select(metrics).where(metrics.c.run == run, metrics.c.seq.between(first, last))
    rows = connection.execute(query.order_by(metrics.c.seq, metrics.c.step)).all()
    return [
        Metrics(
            type="metrics",
            seq=seq,
            step=step,
            time=time,
            values={row.name: row.value for row in group},
        )
        for (seq, step, time), group in groupby(rows, lambda row: (row.seq, row.step, row.time))
    ]
