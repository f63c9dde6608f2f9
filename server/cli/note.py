"""The command `gradgate note`."""

from __future__ import annotations

import sys

import click

from .choose_run import choose
from .client import Client
from .edit import edit
from .options import asks_a_server
from .terminal import plain
from .texts import epilogs


@click.command(epilog=epilogs.EDITED)
@click.argument("run")
@click.argument("text", required=False)
@asks_a_server
def note(client: Client, /, run: str, text: str | None) -> None:
    """Write TEXT as the notes of a run, in place of those before; without TEXT show them.

    TEXT is - to read it from stdin, and empty to remove the notes.
    """
    row = choose(client.runs(), run)
    if text is not None:
        notes = sys.stdin.read() if text == "-" else text
        row = edit(client, row, notes=notes.strip())
    for line in row.notes.splitlines():
        click.echo(plain(line))
    if not row.notes:
        click.echo(plain(f"{row.name} ({row.id}) has no notes."))
