"""The option `--data`: a folder, and no address of a data base."""

from __future__ import annotations

import os
from pathlib import Path

import click


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
