"""The command `gradgate keep`."""

from __future__ import annotations

import click

from ..protocol.runs import RunRow
from .choose_run import choose
from .client import Client
from .edit import edit
from .options import asks_a_server
from .terminal import plain
from .texts import epilogs


@click.command(epilog=epilogs.EDITED)
@click.argument("run")
@click.option("--days", type=float, help="Keep samples and metrics in full for so many days.")
@click.option("--gb", type=float, help="Keep so many gigabytes of them.")
@asks_a_server
def keep(client: Client, /, run: str, days: float | None, gb: float | None) -> None:
    """Set how much of a run is kept in full, or show it.

    What is older is kept in coarser steps, with the lowest and highest values. 0 takes a limit of
    the run away, so that the server's holds, if it has one.
    """
    row = choose(client.runs(), run)
    if days is not None or gb is not None:
        row = edit(client, row, keep_days=days, keep_gb=gb)
    click.echo(plain(f"{row.name} ({row.id}) keeps {_limits(row)}."))


def _limits(row: RunRow) -> str:
    limits = [
        f"{limit:g} {unit}"
        for limit, unit in ((row.keep_days, "days"), (row.keep_gb, "GB"))
        if limit is not None
    ]
    return f"{' and '.join(limits)} in full" if limits else "as much as the server does"
