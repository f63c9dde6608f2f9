"""The commands `gradgate freeze` and `gradgate thaw`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from pydantic import ValidationError

from ..protocol import limits
from ..protocol.rows import CommandRequest
from .choose_run import choose
from .client import Client
from .options import asks_a_server
from .preview_text import preview_lines
from .steering import steer
from .terminal import plain

F = TypeVar("F", bound=Callable[..., Any])

_EPILOG = (
    "RUN is an id of `gradgate runs`, the beginning of one, or a name that one live run has. "
    "TARGET is a parameter's name, a module's path, or a glob such as '*.bias'. Ends with 0 when "
    "the job has verified it (or was asked, with --no-wait); with 1 when it was rejected, "
    "superseded or has drifted; with 2 when the run or an option is wrong; with 3 without a "
    "server; with 4 without its token."
)


def _common(function: F) -> F:
    """The arguments and options that both commands have."""
    decorate: Callable[[F], F]
    for decorate in (
        click.option("--no-wait", is_flag=True, help="Ask, and do not wait for the job."),
        click.option("--preview", is_flag=True, help="Show what it would touch; change nothing."),
        click.argument("target"),
        click.argument("run"),
    ):
        function = decorate(function)
    return function


@click.command(epilog=_EPILOG)
@_common
@click.option(
    "--mode",
    type=click.Choice(["grad", "no_grad"]),
    default="grad",
    show_default=True,
    help="no_grad also runs a module's forward without a graph.",
)
@click.option("--hold-stats", is_flag=True, help="Hold running statistics (BatchNorm) too.")
@asks_a_server
def freeze(client: Client, /, mode: str, hold_stats: bool, **common: Any) -> None:
    """Stop training parameters of a run."""
    _steer(client, {"kind": "freeze", "mode": mode, "hold_stats": hold_stats}, **common)


@click.command(epilog=_EPILOG)
@_common
@click.option("--reset-state", is_flag=True, help="Drop what the optimizer kept of them.")
@asks_a_server
def thaw(client: Client, /, reset_state: bool, **common: Any) -> None:
    """Train parameters of a run again."""
    _steer(client, {"kind": "thaw", "reset_state": reset_state}, **common)


def _steer(
    client: Client, change: dict[str, Any], run: str, target: str, preview: bool, no_wait: bool
) -> None:
    asked = _request({**change, "target": target})
    row = choose(client.runs(), run)
    if preview:
        for line in preview_lines(client.preview(row.id, asked), row):
            click.echo(plain(line))
        return
    steer(client, row, asked, no_wait)


def _request(change: dict[str, Any]) -> CommandRequest:
    try:
        return CommandRequest.model_validate({**change, "by": "cli"})
    except ValidationError as error:
        raise click.UsageError(
            f"A target has 1 to {limits.NAME_CHARACTERS} characters and no zero byte: "
            "give a parameter's name, a module's path, or a glob."
        ) from error
