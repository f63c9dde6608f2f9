"""The command `gradgate gates`."""

from __future__ import annotations

import json

import click

from ..protocol.gates import GateRow, action_text
from .choose_run import choose
from .client import Client
from .options import asks_a_server
from .terminal import plain, table

_HEAD = ("GATE", "SITE", "ACTION", "WHEN", "NOW", "CLOSED", "NORM IN", "NORM OUT")
_RIGHT = frozenset({0, 5, 6, 7})


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
