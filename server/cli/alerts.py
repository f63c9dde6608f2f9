"""The command `gradgate alerts`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import click

from ..protocol.alerts import Alert
from ..protocol.runs import RunRow
from .choose_run import choose
from .client import Client
from .options import asks_a_server
from .terminal import plain
from .texts import epilogs
from .texts.alerts import alert_lines
from .texts.expectations import listed_expectations

_TROUBLES = ("nonfinite", "zero", "absent", "stale")
"""States in which a parameter has no useful gradient, though nobody asked for that."""


@click.command(
    epilog=epilogs.RUN
    + "Ends with 0 when there is no alert; with 1 when there is one; "
    + epilogs.FAULTS
)
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="Print every alert, as JSON.")
@asks_a_server
def alerts(client: Client, /, run: str, as_json: bool) -> None:
    """List what is wrong in a run: what it was told to expect and does not hold, and more."""
    row = choose(client.runs(), run)
    found = client.alerts(row.id)
    grave = [each for each in found if each.level == "alert"]
    if as_json:
        click.echo(json.dumps([each.model_dump(mode="json") for each in found], indent=2))
    else:
        notes = [each for each in found if each.level == "note"]
        for line in _lines(row, grave, notes):
            click.echo(plain(line))
    if grave:
        click.get_current_context().exit(1)


def _lines(run: RunRow, alerts: Sequence[Alert], notes: Sequence[Alert]) -> Iterator[str]:
    yield from alert_lines(alerts)
    if run.alerts > len(alerts):
        yield f"And {run.alerts - len(alerts):,} more."
    if not alerts:
        yield from _no_alert(run)
    yield from alert_lines(notes)


def _no_alert(run: RunRow) -> Iterator[str]:
    expected = listed_expectations(run.expect, run.restraints)
    if expected:
        yield f"No alert in {run.name} ({run.id}), which expects {expected}."
    else:
        yield (
            f"No alert in {run.name} ({run.id}), of which nothing is expected: "
            "`probe.attach(..., expect=['encoder.*'])` says what ought to train."
        )
    troubles = {state: run.states[state] for state in _TROUBLES if run.states.get(state)}
    if troubles:
        told = ", ".join(f"{count:,} {state}" for state, count in troubles.items())
        yield (
            f"Of its {run.parameters:,} parameters the latest sample has {told}: "
            f"`gradgate explain {run.id}` says why."
        )
