"""A change of what trains, asked of a job: what `gradgate freeze` and `gradgate thaw` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from pydantic import ValidationError

from ..protocol import limits
from ..protocol.commands.change import CommandRequest
from .choose_run import choose
from .client import Client
from .dispatch import send
from .options import no_wait_option
from .terminal import plain
from .texts import epilogs
from .texts.previews import preview_lines

F = TypeVar("F", bound=Callable[..., Any])

EPILOG = epilogs.RUN + epilogs.TARGET + epilogs.CHANGED


def change_options(function: F) -> F:
    """Give a command the arguments and options that every change has."""
    decorate: Callable[[F], F]
    for decorate in (
        no_wait_option,
        click.option("--preview", is_flag=True, help="Show what it would touch; change nothing."),
        click.argument("target"),
        click.argument("run"),
    ):
        function = decorate(function)
    return function


def change(
    client: Client, fields: dict[str, Any], run: str, target: str, preview: bool, no_wait: bool
) -> None:
    """Ask a job for a change, or show what it would touch."""
    asked = _request({**fields, "target": target})
    row = choose(client.runs(), run)
    if preview:
        for line in preview_lines(client.preview(row.id, asked), row):
            click.echo(plain(line))
        return
    send(client, row, asked, no_wait=no_wait)


def _request(fields: dict[str, Any]) -> CommandRequest:
    try:
        return CommandRequest.model_validate({**fields, "by": "cli"})
    except ValidationError as error:
        raise click.UsageError(
            f"A target has 1 to {limits.NAME_CHARACTERS} characters and no zero byte: "
            "give a parameter's name, a module's path, or a glob."
        ) from error
