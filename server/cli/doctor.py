"""The command `gradgate doctor`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..store.errors import StoreError
from ..store.salvage import salvage as save
from . import checkup
from .client import Client
from .data_folder import data_option
from .options import asks_a_server
from .terminal import listed, plain, plural


@click.command()
@data_option
@click.option(
    "--salvage",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Save what can be read of the data base in a new one, in this folder.",
)
@asks_a_server
def doctor(client: Client, /, data: Path, salvage: Path | None) -> None:
    """Check a set-up: Python, packages, the data folder and its data base, and the server.

    The exit code is 1 when something is wrong. A server that does not answer is wrong where its
    address is given by --server or GRADGATE_SERVER.
    """
    if salvage is not None:
        _salvage(data, salvage)
        return
    source = click.get_current_context().get_parameter_source("server")
    expected = source is not click.core.ParameterSource.DEFAULT
    wrong = False
    findings = (
        *checkup.programs(),
        *checkup.data_folder(data),
        checkup.server(client, expected),
    )
    for finding in findings:
        mark = "WRONG" if finding.wrong else "ok"
        click.echo(plain(f"{mark:5}  {finding.subject}: {finding.sentence}"))
        wrong = wrong or finding.wrong
    sys.exit(1 if wrong else 0)


def _salvage(data: Path, out: Path) -> None:
    try:
        saved = save(data, out)
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    click.echo(plain(f"Saved {plural(len(saved.saved), 'run')} in {out}: {', '.join(saved.saved)}"))
    for table, holes in saved.holes.items():
        click.echo(f"Of the table {table}, {plural(holes, 'place')} could not be read.")
    if saved.lost:
        click.echo(
            plain(f"Lost {plural(len(saved.lost), 'run')}: {listed(saved.lost, len(saved.lost))}")
        )
    click.echo(f"Look at it with `gradgate serve --data {out}`.")
