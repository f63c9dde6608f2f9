"""The command `gradgate freeze`."""

from __future__ import annotations

from typing import Any

import click

from .change import EPILOG, change, change_options
from .client import Client
from .options import asks_a_server, limit_options


@click.command(epilog=EPILOG)
@change_options
@click.option(
    "--mode",
    type=click.Choice(["grad", "no_grad"]),
    default="grad",
    show_default=True,
    help="no_grad also runs a module's forward without a graph.",
)
@click.option("--hold-stats", is_flag=True, help="Hold running statistics (BatchNorm) too.")
@limit_options
@asks_a_server
def freeze(
    client: Client, /, mode: str, hold_stats: bool, limit: dict[str, float] | None, **common: Any
) -> None:
    """Stop training parameters of a run."""
    own = {"mode": mode, "hold_stats": hold_stats, "limit": limit}
    change(client, {"kind": "freeze", **own}, **common)
