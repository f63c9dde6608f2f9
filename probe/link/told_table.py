"""The parameter table as it is told: in columns, with a digest by which a server knows it again."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from ..base.wire_text import LONGEST_NAME, LONGEST_PATH
from ..model.table import TableRow
from .frames import encode_json
from .told_names import told_names

logger = logging.getLogger("gradgate")

COLUMNS = "columns"
"""The field of a message that has all of a table; the digest beside it is short."""
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
            names = told_names([*chain.from_iterable(map(_told, rows))], LONGEST_NAME)
            self._warn_of_others(names)
            columns = _columns(rows, names)
            digest = hashlib.sha256(encode_json(columns).encode()).hexdigest()
            latest = self._latest = rows, {COLUMNS: columns, "digest": digest}
        return latest[1]

    def _warn_of_others(self, names: Mapping[str, str]) -> None:
        """Say once that a name is told otherwise."""
        other = next((name for name, told in names.items() if told != name), None)
        if other is None or self._has_warned:
            return
        self._has_warned = True
        logger.warning(
            "gradgate: the dashboard calls the parameter %.80r %.80r, for a name has up to %d "
            "characters there, and none that is no text; a command reaches it by a pattern with *.",
            other[-80:],
            names[other][-80:],
            LONGEST_NAME,
        )


def _told(row: TableRow) -> Sequence[str]:
    """Return the names of a parameter that are told at all."""
    return row.names[:MOST_NAMES]


def _columns(rows: Sequence[TableRow], names: Mapping[str, str]) -> dict[str, Any]:
    modules: dict[str, int] = {}
    module = [modules.setdefault(row.module, len(modules)) for row in rows]
    kinds: dict[tuple[Any, ...], int] = {}
    kind = [kinds.setdefault(_kind(row), len(kinds)) for row in rows]
    fields = ("shape", "numel", "dtype", "device", "in_optimizer", "requires_grad", "removed")
    told = [[names[name] for name in _told(row)] for row in rows]
    return {
        "names": [first for first, *_ in told],
        "tied": [(place, others) for place, (_, *others) in enumerate(told) if others],
        "modules": [*told_names([*modules], LONGEST_PATH).values()],
        "module": module,
        "kinds": [dict(zip(fields, (list(shape), *rest), strict=True)) for shape, *rest in kinds],
        "kind": kind,
    }


def _kind(row: TableRow) -> tuple[Any, ...]:
    """Return what many parameters have in common."""
    flags = row.in_optimizer, row.requires_grad, row.removed
    return tuple(row.shape), row.numel, row.dtype, row.device, *flags
