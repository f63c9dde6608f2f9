"""Tables as CSV (RFC 4180): numbers as they are read back to the bit, nothing where there is null.

A text has quotes around it where it needs them, and the empty text always, so that it is not null.
One that a spreadsheet would compute, as a formula, has an apostrophe before it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..store.database import Store
from .columns import Batch, Cells, Coded, Numbers, Table, length
from .selection import Selection

_WANTS_QUOTES = re.compile(r'[",\r\n]|^$|^\s|\s$')
_FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""What a formula begins with, full-width forms among it: owasp.org, "CSV Injection"."""
_ROWS = 20_000
"""Rows of a piece: enough to be fast, and few enough that other threads get their turn."""


def comma_separated(table: Table, store: Store, chosen: Selection) -> Iterator[bytes]:
    """Write a table, first its head, then rows as they are read."""
    yield (",".join(_text(column.name) for column in table.columns) + "\n").encode()
    for batch in table.batches(store, chosen):
        for start in range(0, length(batch), _ROWS):
            yield _lines(batch, slice(start, start + _ROWS)).encode()


def inert(text: str) -> str:
    """Return a text that no spreadsheet computes."""
    return f"'{text}" if _FORMULA.match(text) else text


def _lines(batch: Batch, rows: slice) -> str:
    columns = [_texts(cells, rows) for cells in batch]
    return "\n".join(map(",".join, zip(*columns, strict=True))) + "\n"


def _texts(cells: Cells, rows: slice) -> Sequence[str]:
    match cells:
        case Coded(codes, values):
            part = codes[rows]
            least = part.min()
            used = values[least : part.max() + 1]
            texts: list[str] = np.array([_text(each) for each in used], object)[
                part - least
            ].tolist()
            return texts
        case Numbers(values, missing):
            there = ~missing[rows]
            texts_of = np.full(len(there), "", object)
            # The shortest number that reads back as the same one of its type.
            texts_of[there] = values[rows][there].astype(str)
            texts = texts_of.tolist()
            return texts
        case _:
            return [_text(value) for value in cells[rows]]


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            text = inert(value)
            return _quoted(text) if _WANTS_QUOTES.search(text) else text
        case _:
            return _quoted(json.dumps(value, ensure_ascii=False))


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
