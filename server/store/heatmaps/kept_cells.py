"""Cells of heat maps that are kept in memory, since who looks at a run asks for most of them again.

What a span holds never changes: merging puts another in its place, of another level or length.
"""

from __future__ import annotations

from threading import Lock

from cachetools import LRUCache
from sqlalchemy import Connection

from ..levels.cover import Piece
from .cells import Asked, Cells, read_cells

ENTRY = 1000
"""Bytes that an entry takes beside its arrays: its key, the objects, its places in the cache."""


class KeptCells:
    """Reads cells, and those that were read lately from memory; from any thread."""

    def __init__(self, most: int) -> None:
        """Keep so many bytes."""
        self._most = most
        self._kept: LRUCache[tuple[object, ...], Cells] = LRUCache(most, _size)
        self._lock = Lock()

    def read(self, connection: Connection, asked: Asked, piece: Piece) -> Cells:
        """Return the cells of all buckets of a piece's span."""
        steps = int(piece.first_steps[0]), int(piece.last_steps[-1])
        span = (asked.run, asked.created, piece.level, piece.first, piece.held, steps)
        key = (span, asked.statistic, asked.of, asked.rows.digest)
        with self._lock:
            found = self._kept.get(key)
        if found is None:
            found = read_cells(connection, asked, piece)
            if found.complete and _size(found) <= self._most:
                with self._lock:
                    self._kept[key] = found
        return found


def _size(cells: Cells) -> int:
    return cells.nbytes + ENTRY
