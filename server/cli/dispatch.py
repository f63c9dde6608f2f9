"""A command sent from a terminal, and followed there until the job has done or refused it."""

from __future__ import annotations

import click

from ..protocol.commands.explain import ExplainRequest
from ..protocol.commands.registry import AnyRequest
from ..protocol.commands.row import CommandRow
from ..protocol.commands.state import CommandState
from ..protocol.runs import RunRow
from .client import Broken, Client, ClientError
from .failures import Interrupted, NoServer, NotDone, failure
from .follow import FAILED, Following, RunEnded
from .terminal import listed, plain, plural
from .texts.gates import gate_text

_STATE_WIDTH = max(len(state.value) for state in CommandState)


def steer(client: Client, run: RunRow, asked: AnyRequest, no_wait: bool) -> None:
    """Send a command, and tell of each state until the last, which is verified or raises."""
    command = _sent(client, run, asked)
    if no_wait:
        _tell(run, CommandState.REQUESTED, command)
    else:
        _wait(client, run, command, CommandState.VERIFIED)


def ask(client: Client, run: RunRow, asked: ExplainRequest) -> None:
    """Send a command that asks and changes nothing, and tell of each state on stderr."""
    _wait(client, run, _sent(client, run, asked), CommandState.APPLIED)


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
        lambda state, row: _tell(run, state, row, err=asking),
        lambda sentence: click.echo(sentence, err=True),
    )
    try:
        final = following.until_final()
    except KeyboardInterrupt as error:
        raise Interrupted(_stands("Not waited for any longer", following.row)) from error
    except ClientError as error:
        raise failure(error, _stands(str(error), following.row)) from error
    except RunEnded as error:
        raise NotDone(f"The run finished before command {command.id} was {last.value}.") from error
    if final.state in FAILED:
        raise NotDone(_verdict(final))


def _tell(run: RunRow, state: CommandState, row: CommandRow, err: bool = False) -> None:
    """Print a state with what belongs to it; the verdict of a failure comes as the error."""
    said = ""
    if state is CommandState.REQUESTED:
        said = f"command {row.id}: {_described(row)} in {run.name} ({run.id})"
    elif state is CommandState.APPLIED:
        names = listed(row.parameters, row.count)
        at = "" if row.step is None else f"at step {row.step:,}: "
        touched = plural(row.count, "parameter") + (f" ({names})" if names else "")
        said = at + (touched if row.gate is None else f"gate {row.gate}")
    elif state is CommandState.VERIFIED and row.state is state:
        said = row.detail or ""
    click.echo(plain(f"{state.value:{_STATE_WIDTH}}  {said}".rstrip()), err=err)


def _described(row: CommandRow) -> str:
    if row.kind == "gate":
        return f"gate {row.target} ({gate_text(row)})"
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
