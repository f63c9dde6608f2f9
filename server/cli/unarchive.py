"""The command `gradgate unarchive`."""

from __future__ import annotations

import click

from .choose_run import choose
from .client import Client
from .edit import edit
from .options import asks_a_server
from .terminal import plain
from .texts import epilogs


@click.command(epilog=epilogs.EDITED)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@asks_a_server
def unarchive(client: Client, /, runs: tuple[str, ...]) -> None:
    """Put archived runs back on the list."""
    known = client.runs()
    for row in [choose(known, run) for run in runs]:
        edit(client, row, archived=False)
        click.echo(plain(f"{row.name} ({row.id}) is on the list again."))
