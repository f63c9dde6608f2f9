"""The command `gradgate audit`."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, get_args

import click

from ..export.comma_separated import inert
from ..protocol.audit import Action, AuditRow
from ..web.audit_words import WORDS, details, who
from .client import Client
from .options import asks_a_server
from .terminal import plain

PAGE = 1000
"""Entries that are asked for at once."""
_TIMES = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S")
_COLUMNS = ("id", "time", "actor", "address", "action", "run", "name", "detail")


@click.command()
@click.option("--since", type=click.DateTime(_TIMES), help="Only from this local time on.")
@click.option("--until", type=click.DateTime(_TIMES), help="Only up to this local time.")
@click.option("--actor", metavar="NAME", help="Only of a token, or of `user NAME`.")
@click.option("--run", metavar="RUN", help="Only of a run: its id, or its name then.")
@click.option("--action", type=click.Choice(get_args(Action)), help="Only what was done so.")
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help="The latest N; without it all there are."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, times in seconds since 1970.")
@asks_a_server
def audit(
    client: Client,
    /,
    since: datetime | None,
    until: datetime | None,
    actor: str | None,
    run: str | None,
    action: Action | None,
    limit: int | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Print who did what, newest first: commands, edits, deletions, sign-ins, tokens.

    It tells of runs that are deleted by now, too, and wants a token that may change something.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv are two forms: give one.")
    asked = {
        "since": None if since is None else since.timestamp(),
        "until": None if until is None else until.timestamp(),
        "actor": actor,
        "run": run,
        "action": action,
    }
    rows = _rows(client, asked, limit)
    if as_csv:
        written = csv.writer(sys.stdout, lineterminator="\n")
        written.writerow(_COLUMNS)
        for row in rows:
            fields = row.model_dump(mode="json")
            written.writerow(_cell(fields[name]) for name in _COLUMNS)
        return
    for row in rows:
        if as_json:
            click.echo(json.dumps(row.model_dump(mode="json")))
        else:
            click.echo(plain(_line(row)))


def _rows(client: Client, asked: Mapping[str, object], limit: int | None) -> Iterator[AuditRow]:
    """Yield what is asked for, page by page."""
    left, before = limit, None
    while left is None or left > 0:
        size = PAGE if left is None else min(left, PAGE)
        rows = client.audit({**asked, "before": before, "limit": size})
        yield from rows
        if len(rows) < size:
            return
        before = rows[-1].id
        left = None if left is None else left - size


def _cell(value: Any) -> Any:
    """Return what stands in a field: names of runs are their jobs' and may look like formulas."""
    if isinstance(value, dict):
        return json.dumps(value)
    return inert(value) if isinstance(value, str) else value


def _line(row: AuditRow) -> str:
    """Say who did what from where: `… alice at 10.0.0.7: deleted digits#2 (id)`."""
    told = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.time))
    place = f" at {row.address}" if row.address else ""
    run = f" {row.name} ({row.run})" if row.run else ""
    said = details(row)
    return f"{told}  {who(row)}{place}: {WORDS[row.action]}{run}{', ' if said else ''}{said}"
