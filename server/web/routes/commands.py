"""The routes of commands: ask, preview, and the audit log."""

from __future__ import annotations

from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Annotated

from fastapi import HTTPException, Path, Query

from ...protocol import limits
from ...protocol.commands.change import ChangeRequest
from ...protocol.commands.registry import AnyRequest
from ...protocol.commands.row import CommandRow, CommandRows
from ...protocol.effects import Preview
from ...store.ledger import command_row, command_rows
from ...store.runs import run_record
from ..dependencies import ActorOf, CallerOf, PartsOf, ReadRunOf, RunOf, StoreOf

STORE_PATIENCE = 10.0


def post_command(
    run: RunOf, asked: AnyRequest, parts: PartsOf, caller: CallerOf, actor: ActorOf
) -> CommandRow:
    """Ask for a change; the answer says that it was asked for, not that it was done.

    Where tokens are wanted `by` of the command begins with the name of the one that was shown.
    """
    signed = asked.model_copy(update={"by": caller.signed(asked.by)})
    future = parts.hub.requests.command(run, signed, actor)
    try:
        return future.result(STORE_PATIENCE)
    except FutureTimeoutError as error:
        outcome = (
            "the command was not taken: see GET /healthz, and try again."
            if future.cancel()
            else f"the command may still be taken: see GET /api/runs/{run}/commands."
        )
        raise HTTPException(503, f"The store is busy, and {outcome}") from error


async def get_preview(
    run: RunOf, asked: Annotated[ChangeRequest, Query()], parts: PartsOf
) -> Preview:
    """What a command would touch, asked of the job itself; nothing is changed."""
    return await parts.hub.requests.preview(run, asked)


def list_commands(
    run: ReadRunOf, store: StoreOf, limit: Annotated[int, Query(ge=1, le=10_000)] = 100
) -> CommandRows:
    """The audit log, newest first."""
    with store.read() as connection:
        run_record(connection, run)
        return CommandRows(commands=command_rows(connection, run, limit))


def get_command(
    run: ReadRunOf, number: Annotated[int, Path(ge=0, le=limits.NUMBER)], store: StoreOf
) -> CommandRow:
    """One command."""
    with store.read() as connection:
        run_record(connection, run)
        return command_row(connection, run, number)
