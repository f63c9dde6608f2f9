"""The cells of a heat map in one piece of a run: groups of parameters by buckets of steps."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from ...protocol.states import worst
from ..levels.cover import Piece
from ..levels.pyramid import Figure, States
from ..levels.whole import read_whole
from ..tiles import BLOCK

Of = Literal["max", "min", "mean"]

_FIGURES: dict[Of, tuple[Figure, ...]] = {
    "max": (Figure.HIGH,),
    "min": (Figure.LOW,),
    "mean": (Figure.LOG_MEAN, Figure.POSITIVE),
}
_REDUCE = {"max": np.fmax, "min": np.fmin, "mean": np.add}


class Rows:
    """The parameters of a heat map's rows: the places of each."""

    def __init__(self, places: Sequence[Sequence[int]]) -> None:
        everyone = np.array([place for row in places for place in row], np.intp)
        self.blocks = [int(block) for block in np.unique(everyone // BLOCK)]
        """The blocks that hold them."""
        self.order = np.searchsorted(self.blocks, everyone // BLOCK) * BLOCK + everyone % BLOCK
        """Row by row, where each is when these blocks lie behind each other."""
        self.starts = np.cumsum([0, *(len(row) for row in places)])[:-1]
        """Where in the order each row begins."""
        text = everyone.tobytes() + self.starts.tobytes()
        self.digest = hashlib.blake2b(text, digest_size=16).digest()
        """The same for the same rows."""


@dataclass(frozen=True)
class Cells:
    """Figures and states of (rows, buckets)."""

    of: Of
    figures: tuple[NDArray[Any], ...]
    """The greatest or the least finite value, NaN for none; of the mean, the sum of the logarithms
    of what is above zero, and how many that are."""
    states: States
    """The worst state."""
    complete: bool = True
    """Whether all that is stored of them could be read."""

    @property
    def nbytes(self) -> int:
        """How many bytes they take."""
        return sum(array.nbytes for array in (*self.figures, self.states))

    def first(self, buckets: int) -> Cells:
        """Return the cells of the first buckets."""
        figures = tuple(array[:, :buckets] for array in self.figures)
        return Cells(self.of, figures, self.states[:, :buckets])

    def columns(self, kept: NDArray[np.bool_], starts: NDArray[np.intp]) -> Cells:
        """Bring the buckets that are kept together; `starts` holds the first of each column."""
        reduce = _REDUCE[self.of].reduceat
        figures = tuple(reduce(array[:, kept], starts, axis=1) for array in self.figures)
        return Cells(self.of, figures, worst(self.states[:, kept].T, starts).T)

    def values(self) -> NDArray[np.float32]:
        """Return the values: the greatest, the least or the geometric mean; NaN for none."""
        if self.of != "mean":
            return self.figures[0].astype(np.float32)
        sums, counts = self.figures
        with np.errstate(invalid="ignore"):
            means: NDArray[np.float32] = np.exp(sums / counts).astype(np.float32)
        return means


@dataclass(frozen=True)
class Asked:
    """What the cells of a heat map hold, wherever in the run they are."""

    run: str
    created: float
    """When the run was: another may have its id once it is deleted."""
    statistic: int
    of: Of
    rows: Rows


ReadCells = Callable[[Connection, Asked, Piece], Cells]
"""Reads the cells of all buckets of a piece's span."""


def read_cells(connection: Connection, asked: Asked, piece: Piece) -> Cells:
    """Read the cells of all buckets of a piece's span from the store."""
    of, rows = asked.of, asked.rows
    found = read_whole(connection, asked.run, piece, asked.statistic, _FIGURES[of], rows.blocks)
    figures = [found.buckets.figures[figure][rows.order] for figure in _FIGURES[of]]
    if of == "mean":
        logs, counts = figures
        figures = [np.where(counts > 0, logs, 0.0) * counts, counts]
    reduced = tuple(_REDUCE[of].reduceat(array, rows.starts, axis=0) for array in figures)
    states = worst(found.buckets.states[rows.order], rows.starts)
    return Cells(of, reduced, states, found.complete)


def joined(cells: Sequence[Cells]) -> Cells:
    """Put the cells of pieces side by side."""
    parts = zip(*(each.figures for each in cells), strict=True)
    figures = tuple(np.concatenate(part, axis=1) for part in parts)
    return Cells(cells[0].of, figures, np.concatenate([each.states for each in cells], axis=1))
