"""The commands `gradgate freeze` and `gradgate thaw`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from pydantic import ValidationError

from . import limits
from .choosing import choose
from .client import Broken, Client, ClientError
from .client_options import Interrupted, NoServer, NotDone, asks_a_server, failure
from .commands import CommandState
from .following import Following, RunEnded
from .preview_text import preview_lines
from .rows import CommandRequest, CommandRow, RunRow
from .terminal import listed, plain, plural

F = TypeVar("F", bound=Callable[..., Any])

_STATE_WIDTH = max(len(state.value) for state in CommandState)
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
    command = _sent(client, row, asked)
    if no_wait:
        _tell(row, CommandState.REQUESTED, command)
    else:
        _wait(client, row, command)


def _request(change: dict[str, Any]) -> CommandRequest:
    try:
        return CommandRequest.model_validate({**change, "by": "cli"})
    except ValidationError as error:
        raise click.UsageError(
            f"A target has 1 to {limits.NAME_CHARACTERS} characters and no zero byte: "
            "give a parameter's name, a module's path, or a glob."
        ) from error


def _sent(client: Client, run: RunRow, asked: CommandRequest) -> CommandRow:
    try:
        return client.request(run.id, asked)
    except Broken as error:
        raise NoServer(
            f"{error} The command may have been taken: see the log of the run's page, "
            f"{client.url}/runs/{run.id}."
        ) from error


def _wait(client: Client, run: RunRow, command: CommandRow) -> None:
    following = Following(
        client,
        command,
        run.id,
        lambda state, row: _tell(run, state, row),
        lambda sentence: click.echo(sentence, err=True),
    )
    try:
        final = following.until_final()
    except KeyboardInterrupt as error:
        raise Interrupted(_stands("Not waited for any longer", following.row)) from error
    except ClientError as error:
        raise failure(error, _stands(str(error), following.row)) from error
    except RunEnded as error:
        raise NotDone(f"The run finished before command {command.id} was verified.") from error
    if final.state is not CommandState.VERIFIED:
        raise NotDone(_verdict(final))


def _tell(run: RunRow, state: CommandState, row: CommandRow) -> None:
    """Print a state with what belongs to it; the verdict of a failure comes as the error."""
    said = ""
    if state is CommandState.REQUESTED:
        said = f"command {row.id}: {_described(row)} in {run.name} ({run.id})"
    elif state is CommandState.APPLIED:
        names = listed(row.parameters, row.count)
        at = "" if row.step is None else f"at step {row.step:,}: "
        said = f"{at}{plural(row.count, 'parameter')}" + (f" ({names})" if names else "")
    elif state is CommandState.VERIFIED and row.state is state:
        said = row.detail or ""
    click.echo(plain(f"{state.value:{_STATE_WIDTH}}  {said}".rstrip()))


def _described(row: CommandRow) -> str:
    options = [f"mode {row.mode}"] if row.mode != "grad" else []
    options += ["statistics held"] if row.hold_stats else []
    options += ["optimizer state reset"] if row.reset_state else []
    return f"{row.kind} {row.target}" + (f" ({', '.join(options)})" if options else "")


def _verdict(row: CommandRow) -> str:
    verb = "has" if row.state is CommandState.DRIFTED else "was"
    reason = f": {row.reason}" if row.reason else "."
    return f"Command {row.id} {verb} {row.state.value}{reason}"


def _stands(cause: str, row: CommandRow) -> str:
    return (
        f"{cause.rstrip('.')}. Command {row.id} stands, in state {row.state.value} when last "
        "heard of, and the job goes on with it."
    )
