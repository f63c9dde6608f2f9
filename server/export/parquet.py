"""Tables as Parquet, by pyarrow, which is an optional part of an installation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from ..protocol.version import VERSION
from ..store.database import Store
from ..store.refusals import Refusal
from .columns import Batch, Cells, Coded, Column, Kind, Numbers, Table
from .outgoing import Outgoing
from .selection import Selection

ROWS = 1 << 19
"""Rows of a row group, at least: some 20 MB of samples in memory."""


class NoParquet(Refusal):
    """The package that writes Parquet is not installed."""

    status = 501
    title = "No Parquet"


def has_parquet() -> bool:
    """Tell whether Parquet can be written here."""
    return find_spec("pyarrow") is not None


def check_parquet() -> None:
    """Raise `NoParquet` when there is no pyarrow."""
    if not has_parquet():
        raise NoParquet(
            "Parquet is written by pyarrow, which is not installed where this server runs: "
            "install it there with `pip install pyarrow` and start the server again, "
            "or take CSV."
        )


def parquet(table: Table, store: Store, chosen: Selection) -> Iterator[bytes]:
    """Write a table, row group by row group as it is read."""
    import pyarrow  # slow to load, and not everywhere
    from pyarrow.parquet import ParquetWriter

    types = _types(pyarrow)
    schema = pyarrow.schema(
        [(column.name, types[column.kind]) for column in table.columns], _metadata(chosen)
    )
    sink = Outgoing()
    gathered: list[Any] = []
    with ParquetWriter(sink, schema, compression="zstd") as writer:
        for batch in table.batches(store, chosen):
            gathered.append(_record_batch(pyarrow, schema, table.columns, batch))
            if sum(each.num_rows for each in gathered) >= ROWS:
                _write(pyarrow, writer, schema, gathered)
                yield sink.take()
        _write(pyarrow, writer, schema, gathered)
    yield sink.take()


def _types(pyarrow: Any) -> dict[Kind, Any]:
    text = pyarrow.string()
    return {
        Kind.INTEGER: pyarrow.int64(),
        Kind.REAL: pyarrow.float64(),
        Kind.SINGLE: pyarrow.float32(),
        Kind.BOOLEAN: pyarrow.bool_(),
        Kind.TEXT: text,
        Kind.WORD: pyarrow.dictionary(pyarrow.int32(), text),
        Kind.NAMES: pyarrow.list_(text),
        Kind.JSON: text,
    }


def _metadata(chosen: Selection) -> dict[str, str]:
    asked = {"match": chosen.match, "from": chosen.first_step, "to": chosen.last_step}
    return {
        "gradgate.version": VERSION,
        "gradgate.run": chosen.run,
        "gradgate.name": chosen.name,
        "gradgate.selection": json.dumps(asked),
    }


def _write(pyarrow: Any, writer: Any, schema: Any, gathered: list[Any]) -> None:
    rows = pyarrow.Table.from_batches(gathered, schema)
    if len(rows):
        writer.write_table(rows, row_group_size=len(rows))
    gathered.clear()


def _record_batch(pyarrow: Any, schema: Any, columns: tuple[Column, ...], batch: Batch) -> Any:
    arrays = [
        _array(pyarrow, column, cells, schema.field(column.name).type)
        for column, cells in zip(columns, batch, strict=True)
    ]
    return pyarrow.RecordBatch.from_arrays(arrays, schema=schema)


def _array(pyarrow: Any, column: Column, cells: Cells, kind: Any) -> Any:
    match cells:
        case Numbers(values, missing):
            return pyarrow.array(values, kind, mask=missing)
        case Coded(codes, values) if column.kind is Kind.WORD:
            return pyarrow.DictionaryArray.from_arrays(
                codes, pyarrow.array(values, kind.value_type)
            )
        case Coded(codes, values):
            return pyarrow.array(values, kind).take(pyarrow.array(codes))
        case _ if column.kind is Kind.JSON:
            texts = [None if each is None else json.dumps(each) for each in cells]
            return pyarrow.array(texts, kind)
        case _:
            return pyarrow.array(cells, kind)
