"""A command sent from a terminal, and followed there until the job has done or refused it."""

from __future__ import annotations

import click

from ..protocol.commands.registry import KINDS, AnyRequest
from ..protocol.commands.row import CommandRow
from ..protocol.commands.state import CommandState
from ..protocol.runs import RunRow
from .client import Client
from .errors import Broken, ClientError
from .failures import Interrupted, NoServer, NotDone, failure
from .follow import FAILED, Following, RunEnded
from .terminal import listed, plain, plural

_STATE_WIDTH = max(len(state.value) for state in CommandState)


def send(client: Client, run: RunRow, asked: AnyRequest, *, no_wait: bool = False) -> None:
    """Send a command, and print each state until the job has done it; raises `Failure` otherwise.

    The states of a kind that only asks go to stderr, since the answer is what was wanted.
    """
    command = _sent(client, run, asked)
    if no_wait:
        _print(run, CommandState.REQUESTED, command)
    else:
        _wait(client, run, command, KINDS[asked.kind].done)


def _sent(client: Client, run: RunRow, asked: AnyRequest) -> CommandRow:
    try:
        return client.request(run.id, asked)
    except Broken as error:
        raise NoServer(
            f"{error} The command may have been taken: see the log of the run's page, "
            f"{client.url}/runs/{run.id}."
        ) from error


def _wait(client: Client, run: RunRow, command: CommandRow, last: CommandState) -> None:
    """Wait until a command is in the state in which it is done, or raise `Failure`."""
    asking = last is CommandState.APPLIED
    following = Following(
        client,
        command,
        run.id,
        last,
        lambda state, row: _print(run, state, row, err=asking),
        lambda sentence: click.echo(sentence, err=True),
    )
    try:
        final = following.until_final()
    except KeyboardInterrupt as error:
        raise Interrupted(_stands("Not waited for any longer", following.row)) from error
    except ClientError as error:
        raise failure(error, _stands(str(error), following.row)) from error
    except RunEnded as error:
        raise NotDone(f"The run {error} before command {command.id} was {last.value}.") from error
    if final.state in FAILED:
        raise NotDone(_verdict(final))


def _print(run: RunRow, state: CommandState, row: CommandRow, err: bool = False) -> None:
    """Print a state with what belongs to it; the verdict of a failure comes as the error."""
    said = ""
    if state is CommandState.REQUESTED:
        said = f"command {row.id}: {KINDS[row.kind].describe(row)} in {run.name} ({run.id})"
    elif state is CommandState.APPLIED:
        names = listed(row.parameters, row.count)
        at = "" if row.step is None else f"at step {row.step:,}: "
        touched = plural(row.count, "parameter") + (f" ({names})" if names else "")
        said = at + (touched if row.gate is None else f"gate {row.gate}")
    elif state is CommandState.VERIFIED and row.state is state:
        said = row.detail or ""
    click.echo(plain(f"{state.value:{_STATE_WIDTH}}  {said}".rstrip()), err=err)


def _verdict(row: CommandRow) -> str:
    verb = "has" if row.state is CommandState.DRIFTED else "was"
    reason = f": {row.reason}" if row.reason else "."
    return f"Command {row.id} {verb} {row.state.value}{reason}"


def _stands(cause: str, row: CommandRow) -> str:
    return (
        f"{cause.rstrip('.')}. Command {row.id} stands, in state {row.state.value} when last "
        "heard of, and the job goes on with it."
    )
