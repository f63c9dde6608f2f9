"""The route of exports: a run's tables as files."""

from __future__ import annotations

from typing import Annotated

from fastapi import HTTPException, Query
from starlette.responses import HTMLResponse, Response, StreamingResponse

from ...export.files import check_format, table_file, zipped_tables
from ...export.report.page import report_page
from ...export.selection import selection
from ...protocol import limits
from ...protocol.exports import Format, TableName
from ...protocol.fields import Name
from ..dependencies import PartsOf, ReadRunOf
from ..reports import report_look

_ZIP = "application/zip"
_MEDIA = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv; charset=utf-8"}
Step = Annotated[int | None, Query(ge=0, le=limits.NUMBER)]


def export_run(
    run: ReadRunOf,
    parts: PartsOf,
    wanted: Annotated[Format, Query(alias="format")],
    table: TableName | None = None,
    match: Annotated[Name | None, Query()] = None,
    first_step: Annotated[Step, Query(alias="from")] = None,
    last_step: Annotated[Step, Query(alias="to")] = None,
) -> Response:
    """One table of a run as a file, every table in a zip, or a report that needs no server."""
    store = parts.store
    if wanted == "html":
        if table is not None:
            raise HTTPException(422, "A report has all in one page: leave `table` out.")
    else:
        check_format(wanted)
    with store.read() as connection:
        chosen = selection(connection, run, match, first_step, last_step)
    if wanted == "html":
        page = parts.report_markup(report_page(store, chosen, report_look()))
        return HTMLResponse(page, headers=_named(f"{run}.html"))
    if table is None:
        zipped = zipped_tables(wanted, store, chosen)
        return StreamingResponse(zipped, media_type=_ZIP, headers=_named(f"{run}-{wanted}.zip"))
    file = table_file(wanted, table, store, chosen)
    headers = _named(f"{run}-{table}.{wanted}")
    return StreamingResponse(file, media_type=_MEDIA[wanted], headers=headers)


def _named(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="gradgate-{name}"'}
