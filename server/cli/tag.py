"""The command `gradgate tag`."""

from __future__ import annotations

import click

from .choose_run import choose
from .client import Client
from .edit import edit
from .options import asks_a_server
from .terminal import plain
from .texts import epilogs


@click.command(epilog=epilogs.EDITED)
@click.argument("run")
@click.argument("tags", nargs=-1, metavar="[TAG]...")
@click.option("--remove", multiple=True, metavar="TAG", help="Take a tag away. May be repeated.")
@asks_a_server
def tag(client: Client, /, run: str, tags: tuple[str, ...], remove: tuple[str, ...]) -> None:
    """Give a run tags, or show those that it has."""
    row = choose(client.runs(), run)
    if tags or remove:
        row = edit(client, row, tags=[*{*row.tags, *tags} - set(remove)])
    told = f"has the tags {', '.join(row.tags)}" if row.tags else "has no tag"
    click.echo(plain(f"{row.name} ({row.id}) {told}."))
