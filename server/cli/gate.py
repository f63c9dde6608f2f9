"""The commands `gradgate gate`, `gradgate ungate` and `gradgate gates`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
from pydantic import ValidationError

from ..protocol import limits
from ..protocol.gate_requests import GateFields, GateRequest, TrialRequest, UngateRequest
from ..protocol.rows import GateRow, RunRow
from .choose_run import choose
from .client import Client
from .gate_text import action_text, fault_lines, trial_lines
from .options import NotDone, asks_a_server
from .steering import steer
from .terminal import plain, table

_HEAD = ("GATE", "SITE", "ACTION", "WHEN", "NOW", "CLOSED", "NORM IN", "NORM OUT")
_RIGHT = frozenset({0, 5, 6, 7})
_ENDS = (
    "RUN is an id of `gradgate runs`, the beginning of one, or a name that one live run has. "
    "Ends with 0 when the job has verified it (or was asked, with --no-wait); with 1 when it was "
    "rejected or superseded; with 2 when the run or an option is wrong; with 3 without a server; "
    "with 4 without its token."
)
_SITES = "SITE is param:NAME, output:MODULE, input:MODULE or site:LABEL. "

_no_wait = click.option("--no-wait", is_flag=True, help="Ask, and do not wait for the job.")


@click.command(epilog=_SITES + _ENDS)
@click.argument("run")
@click.argument("site", required=False)
@click.option(
    "--when", metavar="CONDITION", help="Closed while this is true, such as 'norm > 10'.  [True]"
)
@click.option(
    "--action",
    type=click.Choice(["block", "scale", "clip"]),
    help="What it does while it is closed.  [block]",
)
@click.option("--factor", type=float, help="What to scale by; -1 reverses.")
@click.option("--max-norm", type=float, help="What to clip to.")
@click.option("--hold", type=int, help="Once closed, closed for so many steps at least.  [0]")
@click.option("--edit", type=int, metavar="GATE", help="Change this gate where options say so.")
@click.option("--pause", type=int, metavar="GATE", help="Let this gate let everything pass.")
@click.option("--resume", type=int, metavar="GATE", help="Let this gate decide again.")
@click.option(
    "--try", "tries", is_flag=True, help="Show when it would have been closed; change nothing."
)
@_no_wait
@asks_a_server
def gate(
    client: Client,
    /,
    run: str,
    edit: int | None,
    pause: int | None,
    resume: int | None,
    tries: bool,
    no_wait: bool,
    **options: Any,
) -> None:
    """Gate the gradient that flows through a site of a run, or change a gate that is there."""
    given = {name: value for name, value in options.items() if value is not None}
    named = [number for number in (edit, pause, resume) if number is not None]
    if len(named) > 1 or ((given or tries) and edit is None and named):
        raise click.UsageError("--pause and --resume go alone; change a gate with --edit.")
    if edit is not None and not given:
        raise click.UsageError("--edit changes what is given with it: give a SITE or an option.")
    if not named and "site" not in given:
        raise click.UsageError("give a SITE to gate, or --edit, --pause or --resume a GATE.")
    asked = None if named else _request(given, tries)
    row = choose(client.runs(), run)
    if asked is None:
        old = _find(client.gates(row.id), named[0])
        paused = old.paused if edit is not None else pause is not None
        asked = _request({**_changed(old, given), "gate": old.id, "paused": paused}, tries)
    if isinstance(asked, TrialRequest):
        _try(client, row, asked)
    else:
        steer(client, row, asked, no_wait)


@click.command(epilog="GATE is a number of `gradgate gates`. " + _ENDS)
@click.argument("run")
@click.argument("number", metavar="GATE", type=click.IntRange(0, limits.NUMBER))
@_no_wait
@asks_a_server
def ungate(client: Client, /, run: str, number: int, no_wait: bool) -> None:
    """Remove a gate of a run."""
    asked = UngateRequest(kind="ungate", gate=number, by="cli")
    steer(client, choose(client.runs(), run), asked, no_wait)


@click.command()
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="Print every figure, as JSON.")
@asks_a_server
def gates(client: Client, /, run: str, as_json: bool) -> None:
    """List the gates of a run, in the order in which they were made."""
    row = choose(client.runs(), run)
    rows = client.gates(row.id)
    if as_json:
        click.echo(json.dumps([each.model_dump(mode="json") for each in rows], indent=2))
    elif rows:
        click.echo(table(_HEAD, [_cells(each) for each in rows], _RIGHT))
        for each in rows:
            if each.problem:
                click.echo(plain(f"gate {each.id}: {each.problem}"))
    else:
        click.echo(plain(f"No gate in {row.name} ({row.id}): `gradgate gate` makes one."))


def _request(fields: Mapping[str, Any], tries: bool) -> TrialRequest | GateRequest:
    try:
        if tries:
            tried = {name: fields[name] for name in GateFields.model_fields if name in fields}
            return TrialRequest.model_validate(tried)
        return GateRequest.model_validate({"kind": "gate", "by": "cli", **fields})
    except ValidationError as error:
        raise click.UsageError(_fault(error)) from error


def _find(rows: Sequence[GateRow], number: int) -> GateRow:
    for row in rows:
        if row.id == number:
            return row
    known = ", ".join(str(row.id) for row in rows) or "none"
    raise click.UsageError(f"This run has no gate {number}; it has {known}.")


def _changed(old: GateRow, given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a gate with what is given in place of what it had."""
    kept = {name: getattr(old, name) for name in GateFields.model_fields}
    if given.get("action", old.action) != old.action:
        kept |= {"factor": None, "max_norm": None}  # which belong to the old action
    return {**kept, **given}


def _try(client: Client, run: RunRow, asked: TrialRequest) -> None:
    trial = client.trial(run.id, asked)
    if trial.error is not None:
        for line in fault_lines(trial.error, asked.when):
            click.echo(plain(line), err=True)
        # Where the message itself points at the place, that is in the lines below its first.
        raise NotDone(trial.error.message.partition("\n")[0])
    for line in trial_lines(trial, asked.when):
        click.echo(plain(line))


def _cells(row: GateRow) -> tuple[str, ...]:
    now = "paused" if row.paused else "closed" if row.closed else "open"
    share = f"{100 * row.closed_steps / row.steps:.3g} % of {row.steps:,}" if row.steps else ""
    return (
        str(row.id),
        plain(row.site),
        action_text(row),
        plain(row.when),
        now,
        share,
        _figure(row.norm_in),
        _figure(row.norm_out),
    )


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _fault(error: ValidationError) -> str:
    """What is wrong with an option, in the words that the server has for it."""
    fault = error.errors(include_url=False, include_input=False)[0]
    name = "".join(f"{part}: " for part in fault["loc"])
    return f"{name}{fault['msg'].removeprefix('Value error, ')}."
