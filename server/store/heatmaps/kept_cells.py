"""Cells of heat maps that are kept in memory, since who looks at a run asks for most of them again.

What a span holds never changes: merging puts another in its place, of another level or length.
"""

from __future__ import annotations

from threading import Lock

from cachetools import LRUCache
from sqlalchemy import Connection

from ..levels.cover import Piece
from .cells import Cells, Of, Rows, read_cells


class KeptCells:
    """Reads cells, and those that were read lately from memory; from any thread."""

    def __init__(self, most: int) -> None:
        """Keep so many bytes."""
        self._most = most
        self._kept: LRUCache[tuple[object, ...], Cells] = LRUCache(most, lambda each: each.nbytes)
        self._lock = Lock()

    def read(
        self, connection: Connection, run: str, piece: Piece, statistic: int, of: Of, rows: Rows
    ) -> Cells:
        """Return the cells of all buckets of a piece's span."""
        steps = int(piece.first_steps[0]), int(piece.last_steps[-1])
        key = (run, piece.level, piece.first, piece.held, steps, statistic, of, rows.digest)
        with self._lock:
            found = self._kept.get(key)
        if found is None:
            found = read_cells(connection, run, piece, statistic, of, rows)
            if found.nbytes <= self._most:
                with self._lock:
                    self._kept[key] = found
        return found
