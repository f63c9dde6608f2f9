"""Merging the oldest values of a metric into a block, and the blocks into tiles above it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from ..merges import Outdated
from ..runs import is_kept
from ..tables import metric_blocks, metrics, runs
from .buckets import Buckets, joined, of_values
from .packing import Values, pack_buckets, pack_values, unpack_buckets
from .sizes import BLOCK, BLOCK_LEVEL, FACTOR, KEPT, tile_values
from .values import merged_end, metric_names, not_behind, of_metric, row_values, rows_of

EVERY = 20.0
"""Seconds between two looks through the metrics of a run."""


@dataclass(frozen=True)
class MetricMerge:
    """The oldest values of a metric, as a block with what it completes above it."""

    run: str
    name: str
    blocks: list[dict[str, Any]]
    last_seq: int
    last_step: int

    def apply(self, connection: Connection) -> None:
        """Put the blocks in the place of the values, in the caller's transaction.

        Raises `Outdated`, or `IntegrityError` when another server was faster: nothing is changed
        when the transaction is rolled back.
        """
        if not is_kept(connection, self.run):
            raise Outdated(f"run {self.run} is deleted")
        connection.execute(insert(metric_blocks), self.blocks)
        merged = of_metric(metrics, self.run, self.name), not_behind(self.last_seq, self.last_step)
        if connection.execute(delete(metrics).where(*merged)).rowcount != BLOCK:
            raise Outdated(f"{self.name} of run {self.run} is not as it was read")


class MetricMerges:
    """Finds what is to be merged of metrics, and looks through those of a run now and then only."""

    def __init__(self, every: float = EVERY) -> None:
        """Look at a run of which there is nothing to merge again after so many seconds."""
        self._every = every
        self._due: dict[str, float] = {}

    def next_merge(self, connection: Connection, run: str) -> MetricMerge | None:
        """Read and pack the next block of a run; None when there is none, or none is looked for."""
        if time.monotonic() < self._due.get(run, 0.0):
            return None
        merge = next_metric_merge(connection, run)
        if merge is None:
            self._due[run] = time.monotonic() + self._every
        return merge

    def unmerged_runs(self, connection: Connection) -> list[str]:
        """Return the runs that have metrics."""
        logged = select(metrics.c.seq).where(metrics.c.run == runs.c.id).exists()
        return list(connection.scalars(select(runs.c.id).where(logged)))


def next_metric_merge(connection: Connection, run: str) -> MetricMerge | None:
    """Return what is to be merged next in a run, read and packed; None for nothing."""
    for name in metric_names(connection, run):
        oldest = rows_of(run, name)
        found = select(func.count()).select_from(oldest.limit(BLOCK + KEPT).subquery())
        if connection.execute(found).scalar_one() == BLOCK + KEPT:
            rows = connection.execute(oldest.limit(BLOCK)).all()
            return _merge(connection, run, name, row_values(rows))
    return None


def _merge(connection: Connection, run: str, name: str, values: Values) -> MetricMerge:
    first = merged_end(connection, run, name)
    block = of_values(values.steps, values.values)
    rows = [_row(run, name, BLOCK_LEVEL, first, block, pack_values(values))]
    rows.extend(_tiles(connection, run, name, first, block))
    return MetricMerge(run, name, rows, int(values.seqs[-1]), int(values.steps[-1]))


def _tiles(
    connection: Connection, run: str, name: str, first: int, below: Buckets
) -> Iterator[dict[str, Any]]:
    """Yield the tile of each level that a new block completes."""
    level = BLOCK_LEVEL + 1
    while True:
        tile = below.merged(FACTOR)
        yield _row(run, name, level, first, tile, pack_buckets(tile))
        size, above = tile_values(level), tile_values(level + 1)
        if (first + size) % above:
            return
        start = first + size - above
        query = (
            select(metric_blocks.c.data)
            .where(
                of_metric(metric_blocks, run, name),
                metric_blocks.c.level == level,
                metric_blocks.c.first >= start,
            )
            .order_by(metric_blocks.c.first)
        )
        siblings = [unpack_buckets(data, level) for data in connection.scalars(query)]
        if len(siblings) != FACTOR - 1:
            return
        first, below, level = start, joined([*siblings, tile]), level + 1


def _row(
    run: str, name: str, level: int, first: int, buckets: Buckets, data: bytes
) -> dict[str, Any]:
    return {
        "run": run,
        "name": name,
        "level": level,
        "first": first,
        "low_step": int(buckets.low_step.min()),
        "high_step": int(buckets.high_step.max()),
        "data": data,
    }
