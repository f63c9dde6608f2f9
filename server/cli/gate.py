"""The command `gradgate gate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click
from pydantic import ValidationError

from ..protocol.commands.gate import GateRequest
from ..protocol.gate_actions import ACTIONS
from ..protocol.gates import GateFields, GateRow
from ..protocol.runs import RunRow
from ..protocol.trials import TrialRequest
from .choose_run import choose
from .client import Client
from .dispatch import send
from .failures import NotDone
from .options import asks_a_server, limit_options, no_wait_option
from .terminal import plain
from .texts import epilogs
from .texts.gates import fault_lines, trial_lines


@click.command(epilog=epilogs.SITE + epilogs.GATED)
@click.argument("run")
@click.argument("site", required=False)
@click.option(
    "--when", metavar="CONDITION", help="Closed while this is true, such as 'norm > 10'.  [True]"
)
@click.option(
    "--action",
    type=click.Choice(list(ACTIONS)),
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
@limit_options
@no_wait_option
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
        send(client, row, asked, no_wait=no_wait)


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
    """Return the fields of a gate with what is given in place of what it had."""
    kept = {name: getattr(old, name) for name in GateFields.model_fields}
    kept["limit"] = None if old.limit is None else old.limit.model_dump()
    if given.get("action", old.action) != old.action:
        # The figures belong to the old action.
        kept |= {each.figure: None for each in ACTIONS.values() if each.figure}
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


def _fault(error: ValidationError) -> str:
    """Return what is wrong with an option, in the words that the server has for it."""
    fault = error.errors(include_url=False, include_input=False)[0]
    name = "".join(f"{part}: " for part in fault["loc"])
    return f"{name}{fault['msg'].removeprefix('Value error, ')}."
