"""The routes of runs and their parameters."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Annotated, TypeVar

from fastapi import HTTPException, Query, Response

from ...protocol import limits
from ...protocol.fields import Name
from ...protocol.parameters import ParameterRows
from ...protocol.runs import RunEdit, RunRow, Runs, Tag
from ...store.parameters import parameter_columns, parameter_rows
from ...store.runs import run_row, run_rows
from ..dependencies import ActorOf, PartsOf, ReadRunOf, RunOf, StoreOf
from ..packed import Packed, in_columns, in_json, packed_parameters
from .commands import STORE_PATIENCE

T = TypeVar("T")


def list_runs(
    store: StoreOf,
    archived: bool = False,
    tag: Annotated[list[Tag], Query(max_length=limits.TAGS)] = [],  # noqa: B006 - FastAPI copies it
    name: Name | None = None,
    group: Name | None = None,
) -> Runs:
    """The runs, newest first: archived ones too if asked, and only those with every `tag`, of a
    `name`, and of a `group`."""
    with store.read() as connection:
        return Runs(runs=run_rows(connection, archived, tag, name, group))


def get_run(run: ReadRunOf, store: StoreOf) -> RunRow:
    """One run."""
    with store.read() as connection:
        return run_row(connection, run)


async def patch_run(run: RunOf, edit: RunEdit, parts: PartsOf, actor: ActorOf) -> RunRow:
    """Change the name, the tags or the notes of a run, or archive it."""
    return await _stored(parts.hub.administration.edit(run, edit, actor))


async def delete_run(run: RunOf, parts: PartsOf, actor: ActorOf) -> None:
    """Delete a run that is not live, with all that is stored of it."""
    await _stored(parts.hub.administration.delete(run, actor))


def list_parameters(run: ReadRunOf, store: StoreOf, packed: Packed) -> Response:
    """Every parameter in model order, with its latest figures; in JSON, or packed in columns."""
    with store.read() as connection:
        if packed:
            return in_columns(packed_parameters(parameter_columns(connection, run)))
        rows = ParameterRows(parameters=parameter_rows(connection, run))
    return in_json(rows.model_dump_json())


async def _stored(work: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(STORE_PATIENCE):
            return await work
    except TimeoutError as error:
        message = "The store is busy, and may still do it: see GET /healthz, and look again."
        raise HTTPException(503, message) from error
