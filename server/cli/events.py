"""The command `gradgate events`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import get_args

import click

from ..protocol.events import EventKind, EventRow
from .choose_run import choose
from .client import Client
from .options import asks_a_server
from .terminal import plain

_PAUSE = 1.0


@click.command()
@click.argument("run")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(get_args(EventKind)),
    help="Only events of this kind. May be given several times.",
)
@click.option("--from", "first", type=click.IntRange(0), metavar="STEP", help="Only from there on.")
@click.option("--to", "last", type=click.IntRange(0), metavar="STEP", help="Only up to there.")
@click.option("--parameter", metavar="NAME", help="Only events of this parameter.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--follow", is_flag=True, help="Go on with what happens, until the run ends.")
@click.option("--json", "as_json", is_flag=True, help="Print every figure, a JSON object a line.")
@asks_a_server
def events(
    client: Client,
    /,
    run: str,
    kinds: tuple[EventKind, ...],
    first: int | None,
    last: int | None,
    parameter: str | None,
    limit: int,
    follow: bool,
    as_json: bool,
) -> None:
    """List what happened in a run, oldest first: the latest 100 events."""
    row = choose(client.runs(), run)
    chosen = {"kind": kinds, "from": first, "to": last, "parameter": parameter}
    found = client.events(row.id, {**chosen, "limit": limit})
    _print(found, as_json)
    if not found and not as_json and not follow:
        click.echo(plain(f"No such event in {row.name} ({row.id})."))
    seen = max((each.id for each in found), default=0)
    ended = False
    while follow and not ended:
        time.sleep(_PAUSE)
        # In this order: what happens before the end is stored before it.
        ended = client.run(row.id).status.ended
        found = client.events(row.id, {**chosen, "after": seen, "limit": 10_000})
        _print(found, as_json)
        seen = max((each.id for each in found), default=seen)


def _print(found: Iterable[EventRow], as_json: bool) -> None:
    for each in sorted(found, key=lambda row: row.id):
        if as_json:
            click.echo(json.dumps(each.model_dump(mode="json")))
        else:
            told = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(each.time))
            aside = " (dismissed)" if each.dismissed is not None else ""
            click.echo(plain(f"{told}  {each.kind:<10} {each.level:<5}  {each.sentence}{aside}"))
