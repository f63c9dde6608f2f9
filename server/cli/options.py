"""The options of the commands that ask a running server."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar
from urllib.parse import parse_qs, urlsplit

import click
from click.core import ParameterSource

from ..protocol import limits
from ..web.settings import DEFAULT_PORT
from ..web.tokens import TOKEN
from .client import Client
from .failures import failing

P = ParamSpec("P")
R = TypeVar("R")
SERVER = f"http://127.0.0.1:{DEFAULT_PORT}"
no_wait_option = click.option("--no-wait", is_flag=True, help="Ask, and do not wait for the job.")
"""Gives a command that the job carries out the option not to wait for that."""


def limit_options(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command `--for-steps` and `--for-seconds`, and call it with a `limit` of them."""

    @click.option(
        "--for-steps", type=click.IntRange(min=1), metavar="N", help="Undo it after N steps."
    )
    @click.option(
        "--for-seconds",
        type=click.FloatRange(min=0, min_open=True, max=limits.LASTING_SECONDS),
        metavar="SECONDS",
        help="Undo it at the end of the step in which it has lasted so long.",
    )
    @wraps(command)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        ends = {"steps": kwargs.pop("for_steps"), "seconds": kwargs.pop("for_seconds")}
        kwargs["limit"] = None if set(ends.values()) == {None} else ends
        return command(*args, **kwargs)

    return limited


def asks_a_server(command: Callable[Concatenate[Client, P], R]) -> Callable[..., R]:
    """Give a command `--server` and `--token`, and call it with a client made of them."""

    @click.option(
        "--server",
        default=SERVER,
        show_default=True,
        envvar="GRADGATE_SERVER",
        show_envvar=True,
        metavar="URL",
        help="Where the dashboard is.",
    )
    @click.option("--token", envvar="GRADGATE_TOKEN", show_envvar=True, help="The server's token.")
    @wraps(command)
    def asking(server: str, token: str | None, *args: P.args, **kwargs: P.kwargs) -> R:
        _warn_of_shown_token(server)
        with failing():
            return command(_client(server, token), *args, **kwargs)

    return asking


def _warn_of_shown_token(server: str | None) -> None:
    """Warn where `--token`, or a token in the address after `--server`, is there for all to see."""
    if _shown("token") or (server is not None and _shown("server") and address(server)[1]):
        click.echo(
            "WARNING: The list of processes shows the token to everybody on this machine: give it "
            "as $GRADGATE_TOKEN.",
            err=True,
        )


def hand_on_token(server: str | None, token: str | None) -> str | None:
    """Put the token for a process of the probe's into its environment, and warn where it is shown.

    Returns the address without it.
    """
    _warn_of_shown_token(server)
    if server is not None:
        server, printed = address(server)
        token = token or printed
    if (given := checked_token(token)) is not None:
        os.environ["GRADGATE_TOKEN"] = given
    return server


def _shown(option: str) -> bool:
    """Return whether an option stands in the command itself, which the list of processes shows."""
    source = click.get_current_context().get_parameter_source(option)
    return source is ParameterSource.COMMANDLINE


def _client(server: str, token: str | None) -> Client:
    url, given = address(server)
    return Client(url, checked_token(token if _shown("token") else given or token))


def checked_token(token: str | None) -> str | None:
    """Return a token that a server can have, or none; raises `click.UsageError` for another."""
    if token is not None and not TOKEN.fullmatch(token):
        raise click.UsageError("--token is none that a server can have: copy it once more.")
    return token


def address(server: str) -> tuple[str, str | None]:
    """Return the address without what follows it, and the token of a URL that `serve` printed."""
    try:
        parts = urlsplit(server)
        right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        right = False
    if not right:
        # Neither a token nor a password.
        shown = re.split("[?#]", server)[0].rpartition("@")[2]
        raise click.UsageError(
            f"--server {shown!r} is no address of a dashboard: give one such as {SERVER}."
        )
    token = parse_qs(parts.query).get("token", [None])[0]
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}", token
