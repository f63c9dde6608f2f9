"""A change of a run itself, which the server makes: its name, tags, notes, archived or not."""

from __future__ import annotations

from typing import Any

import click
from pydantic import ValidationError

from ..protocol.runs import RunEdit, RunRow
from .client import Client


def edit(client: Client, row: RunRow, **fields: Any) -> RunRow:
    """Give a run other fields, and return it as it is then; raises `ClientError`."""
    try:
        asked = RunEdit.model_validate(fields)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        raise click.UsageError(f"{fault['loc'][0]}: {fault['msg']}.") from error
    return client.edit(row.id, asked)
