"""The command `gradgate send`: what a job left on disk, to a server."""

from __future__ import annotations

from pathlib import Path

import click

from .options import hand_on_token
from .recordings import send_all

_FILES = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("files", nargs=-1, required=True, type=_FILES, metavar="FILE...")
@click.option(
    "--server",
    metavar="URL",
    help="Where to.  [default: where the job would have sent it, or else $GRADGATE_SERVER]",
)
@click.option("--token", metavar="TOKEN", help="The server's token.  [env var: GRADGATE_TOKEN]")
def send(files: tuple[Path, ...], server: str | None, token: str | None) -> None:
    """Send what jobs left on disk while no server answered, or were told to record.

    What the server has already it takes no second time. What a job has left is removed once it is
    stored; a file that a script asked for by `record=` stays. Ends with 1 if a file could not be
    sent.
    """
    click.get_current_context().exit(send_all(hand_on_token(server, token), files))
