"""The parameter table as it is told: in columns, with a digest by which a server knows it again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from ..model.table import TableRow
from .frames import encode_json

COLUMNS = "columns"
"""The field of a message that has all of a table; the digest beside it is short."""


class ToldTable:
    """Makes the part of a message that tells the table, once for each table."""

    def __init__(self) -> None:
        self._latest: tuple[Sequence[TableRow], Mapping[str, Any]] | None = None

    def fields(self, rows: Sequence[TableRow]) -> Mapping[str, Any]:
        """Return the fields of a message for rows that nobody changes any more; any thread."""
        latest = self._latest
        if latest is None or latest[0] is not rows:
            columns = _columns(rows)
            digest = hashlib.sha256(encode_json(columns).encode()).hexdigest()
            latest = self._latest = rows, {COLUMNS: columns, "digest": digest}
        return latest[1]


def _columns(rows: Sequence[TableRow]) -> dict[str, Any]:
    modules: dict[str, int] = {}
    module = [modules.setdefault(row.module, len(modules)) for row in rows]
    kinds: dict[tuple[Any, ...], int] = {}
    kind = [kinds.setdefault(_kind(row), len(kinds)) for row in rows]
    names = ("shape", "numel", "dtype", "device", "in_optimizer", "requires_grad", "removed")
    return {
        "names": [row.names[0] for row in rows],
        "tied": [(place, row.names[1:]) for place, row in enumerate(rows) if row.names[1:]],
        "modules": list(modules),
        "module": module,
        "kinds": [dict(zip(names, (list(shape), *rest), strict=True)) for shape, *rest in kinds],
        "kind": kind,
    }


def _kind(row: TableRow) -> tuple[Any, ...]:
    """Return what many parameters have in common."""
    flags = row.in_optimizer, row.requires_grad, row.removed
    return tuple(row.shape), row.numel, row.dtype, row.device, *flags
