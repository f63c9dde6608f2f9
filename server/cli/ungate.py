"""The command `gradgate ungate`."""

from __future__ import annotations

import click

from ..protocol import limits
from ..protocol.commands.gate import UngateRequest
from .choose_run import choose
from .client import Client
from .dispatch import send
from .options import asks_a_server, no_wait_option
from .texts import epilogs


@click.command(epilog=epilogs.GATE + epilogs.GATED)
@click.argument("run")
@click.argument("number", metavar="GATE", type=click.IntRange(0, limits.NUMBER))
@no_wait_option
@asks_a_server
def ungate(client: Client, /, run: str, number: int, no_wait: bool) -> None:
    """Remove a gate of a run."""
    asked = UngateRequest(kind="ungate", gate=number, by="cli")
    send(client, choose(client.runs(), run), asked, no_wait=no_wait)
