"""The option `--data`: a folder, and no address of a data base."""

from __future__ import annotations

import os
from pathlib import Path

import click
import platformdirs


class DataFolder(click.Path):
    """A folder; an address is refused, and not repeated, since it may hold a password."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Path:
        """Return the folder; raises `click.BadParameter`."""
        if "://" in os.fspath(value):
            self.fail(
                "this is the address of a data base, and --data takes a folder: give a PostgreSQL "
                "data base to `gradgate serve` with --store.",
                param,
                ctx,
            )
        return Path(os.fsdecode(super().convert(value, param, ctx)))


data_option = click.option(
    "--data",
    type=DataFolder(),
    default=lambda: platformdirs.user_data_path("gradgate"),
    show_default="the user's data folder",
    envvar="GRADGATE_DATA",
    help="The folder that keeps every run.",
)
"""Gives a command the folder of a server."""
