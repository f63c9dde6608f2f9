"""The files of an export: one table, or all of them in a zip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from zipfile import ZIP_DEFLATED, ZIP_STORED

from ..protocol.exports import TableFormat, TableName
from ..store.database import Store
from .columns import Table
from .comma_separated import comma_separated
from .outgoing import archive
from .parquet import check_parquet, parquet
from .selection import Selection
from .tables import BY_NAME

_WRITERS: Mapping[TableFormat, Callable[[Table, Store, Selection], Iterator[bytes]]] = (
    MappingProxyType({"parquet": parquet, "csv": comma_separated})
)
# Parquet is compressed already.
_COMPRESSION: Mapping[TableFormat, int] = MappingProxyType(
    {"parquet": ZIP_STORED, "csv": ZIP_DEFLATED}
)


def check_format(wanted: TableFormat) -> None:
    """Raise `NoParquet` for a format that cannot be written here."""
    if wanted == "parquet":
        check_parquet()


def table_file(
    wanted: TableFormat, name: TableName, store: Store, chosen: Selection
) -> Iterator[bytes]:
    """Write one table as a file."""
    return _WRITERS[wanted](BY_NAME[name], store, chosen)


def zipped_tables(wanted: TableFormat, store: Store, chosen: Selection) -> Iterator[bytes]:
    """Write every table as a file of its own, in a zip."""
    files: Iterable[tuple[str, Iterator[bytes]]] = (
        (f"{name}.{wanted}", table_file(wanted, name, store, chosen)) for name in BY_NAME
    )
    return archive(files, _COMPRESSION[wanted])
