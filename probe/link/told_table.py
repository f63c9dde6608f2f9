"""The parameter table as it is told: in columns, with a digest by which a server knows it again."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ..base.wire_text import LONGEST_NAME, wire_name
from ..model.table import TableRow
from .frames import encode_json

logger = logging.getLogger("gradgate")

COLUMNS = "columns"
"""The field of a message that has all of a table; the digest beside it is short."""
SHOWN = 80
"""Characters of a name that the log shows."""
MOST_NAMES = 256
"""Names of one parameter that are told: one that more modules share has more."""


class ToldTable:
    """Makes the part of a message that tells the table, once for each table."""

    def __init__(self) -> None:
        self._latest: tuple[Sequence[TableRow], Mapping[str, Any]] | None = None
        self._has_warned = False

    def fields(self, rows: Sequence[TableRow]) -> Mapping[str, Any]:
        """Return the fields of a message for rows that nobody changes any more; any thread."""
        latest = self._latest
        if latest is None or latest[0] is not rows:
            columns = _columns(rows)
            self._warn_of_others(rows, columns["names"])
            digest = hashlib.sha256(encode_json(columns).encode()).hexdigest()
            latest = self._latest = rows, {COLUMNS: columns, "digest": digest}
        return latest[1]

    def _warn_of_others(self, rows: Sequence[TableRow], told: Sequence[str]) -> None:
        """Say once that a parameter is told under another name."""
        if self._has_warned:
            return
        for row, name in zip(rows, told, strict=True):
            if row.names[0] != name:
                self._has_warned = True
                logger.warning(
                    "gradgate: the dashboard calls the parameter %r %r, for a name has up to %d "
                    "characters there, and none that is no text; a command takes either.",
                    row.names[0][-SHOWN:],
                    name[-SHOWN:],
                    LONGEST_NAME,
                )
                return


def _columns(rows: Sequence[TableRow]) -> dict[str, Any]:
    modules: dict[str, int] = {}
    module = [modules.setdefault(row.module, len(modules)) for row in rows]
    kinds: dict[tuple[Any, ...], int] = {}
    kind = [kinds.setdefault(_kind(row), len(kinds)) for row in rows]
    names = ("shape", "numel", "dtype", "device", "in_optimizer", "requires_grad", "removed")
    return {
        "names": [wire_name(row.names[0], LONGEST_NAME) for row in rows],
        "tied": [
            (place, [wire_name(name, LONGEST_NAME) for name in row.names[1:MOST_NAMES]])
            for place, row in enumerate(rows)
            if row.names[1:]
        ],
        "modules": [wire_name(path, LONGEST_NAME) for path in modules],
        "module": module,
        "kinds": [dict(zip(names, (list(shape), *rest), strict=True)) for shape, *rest in kinds],
        "kind": kind,
    }


def _kind(row: TableRow) -> tuple[Any, ...]:
    """Return what many parameters have in common."""
    flags = row.in_optimizer, row.requires_grad, row.removed
    return tuple(row.shape), row.numel, row.dtype, row.device, *flags
