"""The command `gradgate export`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click

from ..protocol import limits
from ..protocol.exports import FORMATS, TABLES
from .choose_run import choose
from .client import Client
from .downloads import Download, save, show
from .options import asks_a_server
from .terminal import plain, size
from .texts import epilogs

_STDOUT = "-"
_ZIP = ".zip"
_HTML = "html"


@click.command(
    epilog=epilogs.RUN
    + "Rows come in the order in which they are stored; docs/exporting.md tells of the columns. "
    + "Ends with 0 when all was written; with 1 when it was not; "
    + epilogs.FAULTS
)
@click.argument("run")
@click.option(
    "--format", "wanted", type=click.Choice(FORMATS), default="parquet", show_default=True
)
@click.option(
    "--output",
    metavar="PATH",
    help="A folder for a file each table, or a file that ends in .zip; the file of a report or of "
    "--table. "
    "- is the standard output.",
)
@click.option("--table", type=click.Choice(TABLES), help="This table alone.")
@click.option(
    "--match", metavar="TARGET", help="Only parameters that a name, a module or a glob means."
)
@click.option("--from", "first_step", type=click.IntRange(0, limits.NUMBER), metavar="STEP")
@click.option("--to", "last_step", type=click.IntRange(0, limits.NUMBER), metavar="STEP")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@asks_a_server
def export(
    client: Client,
    /,
    run: str,
    wanted: str,
    output: str | None,
    table: str | None,
    match: str | None,
    first_step: int | None,
    last_step: int | None,
    force: bool,
) -> None:
    """Write what is recorded of a run to files: its samples, metrics, commands and more.

    As html it is a report in one file, which opens without a server and without network. With
    --table and without --output that table goes to the standard output.
    """
    row = choose(client.runs(), run)
    ask = partial(
        client.export,
        row.id,
        **{"format": wanted, "match": match, "from": first_step, "to": last_step},
    )
    if wanted == _HTML and table is not None:
        raise click.UsageError("A report has all in one page: leave --table out.")
    if output is None or output == _STDOUT:
        if table is None and (output is None or wanted != _HTML):
            raise click.UsageError(
                "Say with --output where the files go, or with --table which one "
                "is to be written to the standard output."
            )
        show(ask(table=table))
        return
    path = Path(output)
    downloads = list(_downloads(path, wanted, table))
    written = save(
        [Download(target, partial(ask, table=name)) for name, target in downloads], force=force
    )
    click.echo(plain(f"Wrote {row.name} ({row.id}) to {path}: {size(written)}."), err=True)


def _downloads(path: Path, wanted: str, table: str | None) -> Iterator[tuple[str | None, Path]]:
    """Yield which table goes where; None is all of them in a zip."""
    if table is not None or wanted == _HTML:
        yield table, path
    elif path.suffix.lower() == _ZIP:
        yield None, path
    else:
        yield from ((name, path / f"{name}.{wanted}") for name in TABLES)
