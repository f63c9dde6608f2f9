"""The command `gradgate rename`."""

from __future__ import annotations

import click

from ..protocol.run_names import numbered
from .choose_run import choose
from .client import Client
from .edit import edit
from .options import asks_a_server
from .terminal import plain
from .texts import epilogs


@click.command(epilog=epilogs.EDITED)
@click.argument("run")
@click.argument("name")
@asks_a_server
def rename(client: Client, /, run: str, name: str) -> None:
    """Give a run another name."""
    row = choose(client.runs(), run)
    renamed = edit(client, row, name=name)
    click.echo(plain(f"{row.name} ({row.id}) is now {numbered(renamed)}."))
