"""The command `gradgate cause`."""

from __future__ import annotations

from difflib import get_close_matches

import click

from ..protocol.cause_pages import CAUSES, cause_page
from .terminal import table


@click.command()
@click.argument("cause", nargs=-1)
def cause(cause: tuple[str, ...]) -> None:
    """Say what a cause is, why nothing else says so, and how to mend it; without one, list all."""
    if not cause:
        rows = [(each, cause_page(each).headline) for each in CAUSES]
        click.echo(table(("CAUSE", "WHAT IT IS"), rows, frozenset()))
        return
    word = "_".join(cause).lower().replace("-", "_").replace(" ", "_")
    if word not in CAUSES:
        near = get_close_matches(word, CAUSES, 3)
        meant = f" Did you mean {' or '.join(near)}?" if near else ""
        raise click.UsageError(
            f"There is no cause {word!r}.{meant} `gradgate cause` lists them all."
        )
    click.echo(cause_page(word).text)
