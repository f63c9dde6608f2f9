"""Tables column by column: what a column holds, and its cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..store.database import Store
from .selection import Selection


class Kind(Enum):
    """What the cells of a column are, beside null."""

    INTEGER = "integer"
    REAL = "real"
    SINGLE = "single"
    BOOLEAN = "boolean"
    TEXT = "text"
    WORD = "word"
    NAMES = "names"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name, and the kind of its cells."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Numbers:
    """Cells that are numbers; those of `missing` are null, whatever number stands there."""

    values: NDArray[Any]
    missing: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Coded:
    """Cells of few different values: cell `n` is `values[codes[n]]`."""

    codes: NDArray[np.int32]
    values: Sequence[Any]


Cells = Numbers | Coded | list[Any]
Batch = list[Cells]
"""Some rows of a table: the cells of each of its columns."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a run; `batches` reads it bit by bit."""

    columns: tuple[Column, ...]
    batches: Callable[[Store, Selection], Iterator[Batch]]


def length(batch: Batch) -> int:
    """Return the number of rows of a batch."""
    first = batch[0]
    match first:
        case Numbers():
            return len(first.values)
        case Coded():
            return len(first.codes)
        case _:
            return len(first)
