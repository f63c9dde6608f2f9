"""The command `gradgate runs`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import click

from ..protocol.runs import RunRow
from .client import Client
from .options import asks_a_server
from .terminal import plain, table

_HEAD = ("ID", "NAME", "GROUP", "STATUS", "STEP", "STEPS/S", "TRAINABLE", "HOST", "TAGS")
_RIGHT = frozenset({4, 5, 6})


@click.command()
@click.option("--archived", is_flag=True, help="List archived runs too.")
@click.option("--tag", "tags", multiple=True, help="Only those with this tag. May be repeated.")
@click.option("--name", help="Only those of this name, live or not.")
@click.option("--group", help="Only those of this group.")
@click.option("--json", "as_json", is_flag=True, help="Print every figure, as JSON.")
@asks_a_server
def runs(
    client: Client,
    /,
    archived: bool,
    tags: Sequence[str],
    name: str | None,
    group: str | None,
    as_json: bool,
) -> None:
    """List the runs that the dashboard knows, newest first."""
    rows = client.runs(archived, tags, name, group)
    if as_json:
        click.echo(json.dumps([row.model_dump(mode="json") for row in rows], indent=2))
    elif rows:
        known = Counter(row.name for row in client.runs())
        cells = [_cells(row, several=known[row.name] > 1) for row in rows]
        click.echo(table(_HEAD, cells, _RIGHT))
    elif client.runs():
        click.echo("No such run: `gradgate runs --archived` lists all that there are.")
    else:
        click.echo("No run yet: `probe.attach(model, optimizer)` in a training script starts one.")


def _cells(row: RunRow, *, several: bool) -> tuple[str, ...]:
    """Return the cells of a run; with its number where several have, or had, its name."""
    speed = "" if row.steps_per_second is None else f"{row.steps_per_second:.3g}"
    host = row.host if row.ranks == 1 else f"{row.host} ({row.ranks} ranks)"
    return (
        row.id,
        plain(f"{row.name}#{row.number}" if several or row.number > 1 else row.name),
        plain(row.group or ""),
        f"{row.status.value}, archived" if row.archived else row.status.value,
        f"{row.step:,}",
        speed,
        f"{row.trainable:,} of {row.parameters:,}",
        plain(host),
        plain(", ".join(row.tags)),
    )
