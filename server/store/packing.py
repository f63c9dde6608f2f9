"""Brings parameters that earlier versions stored a row each into blocks."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    insert,
    text,
)

_BLOCK = 4096
# Of its own, like the texts of migrations: as version 13 had it.
_blocks = Table(
    "parameter_blocks",
    MetaData(),
    Column("run", String(16), primary_key=True),
    Column("first", Integer, primary_key=True, autoincrement=False),
    Column("size", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
_ROWS = text(
    "SELECT run, position, CAST(names AS TEXT) AS names, module, CAST(shape AS TEXT) AS shape, "
    "numel, dtype, device, in_optimizer, requires_grad, removed FROM parameters "
    "ORDER BY run, position"
)
_SIZES = text("SELECT id, parameters + removed AS size FROM runs")
_LOST = (
    '{"shape": [], "numel": 0, "dtype": "", "device": "", "in_optimizer": false, '
    '"requires_grad": false, "removed": false}'
)

_Entry = tuple[list[str], str, str]
"""The names of a parameter, its module, and what it has in common with others as JSON."""


def pack_tables(connection: Connection) -> None:
    """Make the table of blocks, and put the parameters of every run into it.

    A row that is missing, as one of a salvaged store may be, is called `lost N`.
    """
    _blocks.create(connection)
    sizes = {row.id: row.size for row in connection.execute(_SIZES)}
    for run, rows in groupby(connection.execute(_ROWS), lambda row: row.run):
        entries: list[_Entry] = []
        for row in rows:
            _fill(entries, row.position)
            entries.append((json.loads(row.names), row.module, _kind(row)))
        _fill(entries, sizes.get(run, 0))
        for first in range(0, len(entries), _BLOCK):
            block = entries[first : first + _BLOCK]
            columns = json.dumps(_columns(block), separators=(",", ":"), ensure_ascii=False)
            data = zlib.compress(columns.encode(), 1)
            values = {"run": run, "first": first, "size": len(block), "data": data}
            connection.execute(insert(_blocks), values)


def _fill(entries: list[_Entry], size: int) -> None:
    entries += [([f"lost {place}"], "", _LOST) for place in range(len(entries), size)]


def _columns(entries: Sequence[_Entry]) -> dict[str, Any]:
    modules: dict[str, int] = {}
    kinds: dict[str, int] = {}
    return {
        "names": [names[0] for names, _, _ in entries],
        "tied": [[place, names[1:]] for place, (names, _, _) in enumerate(entries) if names[1:]],
        "module": [modules.setdefault(module, len(modules)) for _, module, _ in entries],
        "modules": list(modules),
        "kind": [kinds.setdefault(kind, len(kinds)) for _, _, kind in entries],
        "kinds": [json.loads(kind) for kind in kinds],
    }


def _kind(row: Row[Any]) -> str:
    return json.dumps(
        {
            "shape": json.loads(row.shape),
            "numel": row.numel,
            "dtype": row.dtype,
            "device": row.device,
            "in_optimizer": bool(row.in_optimizer),
            "requires_grad": bool(row.requires_grad),
            "removed": bool(row.removed),
        }
    )
