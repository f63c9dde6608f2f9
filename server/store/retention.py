"""What is kept for how long: the oldest fine figures go first, and the coarse levels stay."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, func, select

from .keep import Keep
from .levels.axes import unpack_block_axis
from .levels.contents import block_count, stored_codes
from .levels.sizes import BLOCK_LEVEL, FIRST_PYRAMID_LEVEL
from .merges import Outdated
from .metrics.packing import unpack_values
from .metrics.sizes import BLOCK_LEVEL as METRIC_BLOCK_LEVEL
from .metrics.values import metric_names, of_metric
from .tables import metric_blocks, runs, spans, tiles

EVERY = 600.0
"""Seconds between two looks at what a run keeps."""
_DAY = 86400.0
_GB = 1e9


@dataclass(frozen=True, slots=True)
class Drop:
    """The oldest samples of a run, or values of a metric, that are there in coarser levels too."""

    run: str
    time: float
    """When the last of them was measured."""
    size: int
    """Bytes of data."""
    rows: tuple[tuple[Table, ColumnElement[bool]], ...]
    """What is deleted; without the first of them there is nothing to delete."""

    def apply(self, connection: Connection) -> None:
        """Delete them in the caller's transaction; raises `Outdated` when they are gone."""
        for place, (table, condition) in enumerate(self.rows):
            gone = connection.execute(delete(table).where(condition)).rowcount
            if place == 0 and not gone:
                raise Outdated(f"the oldest samples of run {self.run} are gone already")


class Retention:
    """Finds what is kept too long, or beyond the room that there is; a source of merges.

    A limit that a run has itself takes the place of the server's for that run.
    """

    def __init__(
        self, keep: Keep, every: float = EVERY, clock: Callable[[], float] = time.time
    ) -> None:
        """Hold the server's limits; look at a run again after so many seconds."""
        self._keep = keep
        self._every = every
        self._clock = clock
        self._due: dict[str, float] = {}
        self._oldest: dict[str, Drop | None] = {}
        self._sizes: dict[str | None, int] = {}
        self._count_due = 0.0

    def next_merge(self, connection: Connection, run: str) -> Drop | None:
        """Return what is to be dropped next; None for nothing, or a run not looked at now.

        It may be of another run, where all runs together have too much and that has what is oldest.
        """
        now = time.monotonic()
        if now < self._due.get(run, 0.0):
            return None
        if now >= self._count_due:
            self._oldest.clear()
            self._sizes.clear()
            self._count_due = now + self._every
        own = connection.execute(
            select(runs.c.keep_days, runs.c.keep_gb).where(runs.c.id == run)
        ).one_or_none()
        drop = None if own is None else self._beyond(connection, run, Keep(*own))
        if drop is None:
            self._due[run] = now + self._every
            return None
        return self._taken(drop)

    def unmerged_runs(self, connection: Connection) -> list[str]:
        """Return every run."""
        return list(connection.scalars(select(runs.c.id)))

    def _beyond(self, connection: Connection, run: str, own: Keep) -> Drop | None:
        """Return what goes first when a limit is passed, by the run alone or by all together."""
        days = self._keep.days if own.days is None else own.days
        if days is not None or own.gb is not None:
            drop = oldest_drop(connection, run)
            old = drop is not None and days is not None and drop.time < self._clock() - days * _DAY
            if old or (own.gb is not None and self._size(connection, run) > own.gb * _GB):
                return drop
        if own.gb is None and self._keep.gb is not None:
            full = self._size(connection, None) > self._keep.gb * _GB
            return self._oldest_of_all(connection) if full else None
        return None

    def _size(self, connection: Connection, run: str | None) -> int:
        """Return how much is stored; it is counted now and then, which takes long."""
        if run not in self._sizes:
            self._sizes[run] = stored_bytes(connection, run)
        return self._sizes[run]

    def _taken(self, drop: Drop) -> Drop:
        for run in {None, drop.run} & self._sizes.keys():
            self._sizes[run] -= drop.size
        self._oldest.pop(drop.run, None)
        return drop

    def _oldest_of_all(self, connection: Connection) -> Drop | None:
        """Return what is oldest of the runs that the server's limit is for."""
        found = []
        for run in connection.scalars(select(runs.c.id).where(runs.c.keep_gb.is_(None))).all():
            if run not in self._oldest:
                self._oldest[run] = oldest_drop(connection, run)
            if (drop := self._oldest[run]) is not None:
                found.append(drop)
        return min(found, key=lambda drop: drop.time, default=None)


def oldest_drop(connection: Connection, run: str) -> Drop | None:
    """Return the oldest block of samples or of values of a run, if coarser levels have it too."""
    found = [drop for drop in _drops(connection, run) if drop is not None]
    return min(found, key=lambda drop: drop.time, default=None)


def stored_bytes(connection: Connection, run: str | None = None) -> int:
    """Return how many bytes of samples and metrics are stored of a run, or of all runs."""
    total = 0
    for column in (tiles.c.data, spans.c.axis, metric_blocks.c.data):
        query = select(func.sum(func.length(column)))
        if run is not None:
            query = query.where(column.table.c.run == run)
        total += int(connection.scalar(query) or 0)
    return total


def _drops(connection: Connection, run: str) -> Iterator[Drop | None]:
    yield _oldest_samples(connection, run)
    for name in metric_names(connection, run):
        yield _oldest_values(connection, run, name)


def _oldest_samples(connection: Connection, run: str) -> Drop | None:
    of_run = spans.c.run == run
    span = connection.execute(
        select(spans).where(of_run, spans.c.level == BLOCK_LEVEL).order_by(spans.c.first).limit(1)
    ).one_or_none()
    if span is None:
        return None
    coarser = select(spans.c.first).where(
        of_run,
        spans.c.level >= FIRST_PYRAMID_LEVEL,
        spans.c.first <= span.first,
        spans.c.first + spans.c.samples > span.first,
    )
    if connection.execute(coarser.limit(1)).one_or_none() is None:
        return None
    # By the whole primary key, since nothing else finds the tiles of one block quickly.
    tile = and_(
        tiles.c.run == run,
        tiles.c.level == BLOCK_LEVEL,
        tiles.c.statistic.in_(stored_codes(connection, run, BLOCK_LEVEL)),
        tiles.c.block.in_(range(block_count(connection, run, BLOCK_LEVEL))),
        tiles.c.first == span.first,
    )
    size = connection.scalar(select(func.sum(func.length(tiles.c.data))).where(tile)) or 0
    block = and_(of_run, spans.c.level == BLOCK_LEVEL, spans.c.first == span.first)
    latest = float(unpack_block_axis(span.axis).times.max())
    return Drop(run, latest, int(size) + len(span.axis), ((spans, block), (tiles, tile)))


def _oldest_values(connection: Connection, run: str, name: str) -> Drop | None:
    of_level = of_metric(metric_blocks, run, name), metric_blocks.c.level == METRIC_BLOCK_LEVEL
    block = connection.execute(
        select(metric_blocks).where(*of_level).order_by(metric_blocks.c.first).limit(1)
    ).one_or_none()
    if block is None:
        return None
    latest = float(unpack_values(block.data).times.max())
    condition = and_(*of_level, metric_blocks.c.first == block.first)
    return Drop(run, latest, len(block.data), ((metric_blocks, condition),))
