"""The command `gradgate thaw`."""

from __future__ import annotations

from typing import Any

import click

from .change import EPILOG, change, change_options
from .client import Client
from .options import asks_a_server


@click.command(epilog=EPILOG)
@change_options
@click.option("--reset-state", is_flag=True, help="Drop what the optimizer kept of them.")
@asks_a_server
def thaw(client: Client, /, reset_state: bool, **common: Any) -> None:
    """Train parameters of a run again."""
    change(client, {"kind": "thaw", "reset_state": reset_state}, **common)
