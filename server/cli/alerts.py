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


@click.command(
    epilog=epilogs.RUN
    + "Ends with 0 when there is no alert; with 1 when there is one; "
    + epilogs.FAULTS
)
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="Print every alert, as JSON.")
@asks_a_server
def alerts(client: Client, /, run: str, as_json: bool) -> None:
    """List what was expected to train in a run, and has no useful gradient."""
    row = choose(client.runs(), run)
    found = client.alerts(row.id)
    if as_json:
        click.echo(json.dumps([each.model_dump(mode="json") for each in found], indent=2))
    elif found:
        for line in _alert_lines(found, row.alerts - len(found)):
            click.echo(plain(line))
    else:
        click.echo(plain(_no_alert(row)))
    if found:
        click.get_current_context().exit(1)


def _alert_lines(alerts: Sequence[Alert], left_out: int) -> Iterator[str]:
    for each in alerts:
        since = f"no useful gradient since step {each.since_step:,}"
        yield f"{each.name}: {since}: {each.cause or 'not explained yet'}"
        if each.detail:
            yield f"    {each.detail}"
    if left_out > 0:
        yield f"And {left_out:,} more."


def _no_alert(run: RunRow) -> str:
    if run.expect:
        return f"No alert in {run.name} ({run.id}), which expects {', '.join(run.expect)} to train."
    return (
        f"No alert in {run.name} ({run.id}), of which nothing is expected: "
        "`probe.attach(..., expect=['encoder.*'])` says what ought to train."
    )
