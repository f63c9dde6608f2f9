"""The route of exports: a run's tables as files."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import StreamingResponse

from ...export.files import check_format, table_file, zipped_tables
from ...export.selection import selection
from ...protocol import limits
from ...protocol.exports import TableFormat, TableName
from ...protocol.fields import Name
from ..dependencies import StoreOf

_ZIP = "application/zip"
_MEDIA = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv; charset=utf-8"}
Step = Annotated[int | None, Query(ge=0, le=limits.NUMBER)]


def export_run(
    run: str,
    store: StoreOf,
    wanted: Annotated[TableFormat, Query(alias="format")],
    table: TableName | None = None,
    match: Annotated[Name | None, Query()] = None,
    first_step: Annotated[Step, Query(alias="from")] = None,
    last_step: Annotated[Step, Query(alias="to")] = None,
) -> StreamingResponse:
    """One table of a run as a file, or every table as a file of its own in a zip."""
    check_format(wanted)
    with store.read() as connection:
        chosen = selection(connection, run, match, first_step, last_step)
    if table is None:
        parts, media, name = zipped_tables(wanted, store, chosen), _ZIP, f"{run}-{wanted}.zip"
    else:
        parts, media = table_file(wanted, table, store, chosen), _MEDIA[wanted]
        name = f"{run}-{table}.{wanted}"
    disposition = f'attachment; filename="gradgate-{name}"'
    return StreamingResponse(parts, media_type=media, headers={"Content-Disposition": disposition})
