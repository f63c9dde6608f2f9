"""The command `gradgate delete`."""

from __future__ import annotations

import click

from .choose_run import choose
from .client import Client
from .options import asks_a_server
from .terminal import plain, plural
from .texts import epilogs


@click.command(epilog=epilogs.EDITED)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--yes", is_flag=True, help="Do not ask whether that is meant.")
@asks_a_server
def delete(client: Client, /, runs: tuple[str, ...], yes: bool) -> None:
    """Delete runs that are not live, with all that is stored of them, for good."""
    known = client.runs()
    rows = list({row.id: row for row in (choose(known, run) for run in runs)}.values())
    if not yes:
        for row in rows:
            click.echo(plain(f"{row.name} ({row.id}): {plural(row.samples, 'sample')}"))
        click.confirm(f"Delete {plural(len(rows), 'run')} for good?", abort=True)
    for row in rows:
        client.delete(row.id)
        click.echo(plain(f"{row.name} ({row.id}) is deleted."))
