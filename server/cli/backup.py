"""The command `gradgate backup`."""

from __future__ import annotations

from pathlib import Path

import click

from ..store.backup import back_up
from ..store.errors import StoreError
from .data_folder import data_option
from .terminal import size


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@data_option
def backup(file: Path, data: Path) -> None:
    """Copy the data base to a new FILE, whether a server runs or not.

    The copy holds what was stored when the command began. To restore it, make it `gradgate.db`
    of a data folder that has no files of another data base.
    """
    try:
        written = back_up(data, file)
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{file} holds all that was stored in {data} ({size(written)}).")
