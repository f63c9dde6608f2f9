"""What the commands that ask a running server share: its options, and how they fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar
from urllib.parse import parse_qs, urlsplit

import click

from ..web.settings import DEFAULT_PORT, TOKEN
from .choose_run import NoSuchRun
from .client import Broken, Client, ClientError, Denied, Failed, Stranger, Unreachable
from .terminal import plain

P = ParamSpec("P")
R = TypeVar("R")

SERVER = f"http://127.0.0.1:{DEFAULT_PORT}"


class Failure(click.ClickException):
    """Ends a command with a sentence; each kind has an exit code of its own."""

    def __init__(self, message: str) -> None:
        super().__init__(plain(message))


class NotDone(Failure):
    """The job did not do it, or will not."""

    exit_code = 1


class Misused(Failure):
    """There is no such run, or not just one, or no such command."""

    exit_code = 2


class NoServer(Failure):
    """No server is there, or it went, or it is another program."""

    exit_code = 3


class NoToken(Failure):
    """The server wants another token."""

    exit_code = 4


class Interrupted(Failure):
    """Ctrl-C, with the exit code of a shell."""

    exit_code = 130


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
        with failing():
            return command(_client(server, token), *args, **kwargs)

    return asking


@contextmanager
def failing() -> Iterator[None]:
    """Turn what goes wrong between client and server into how the command ends."""
    try:
        yield
    except NoSuchRun as error:
        raise Misused(str(error)) from error
    except ClientError as error:
        raise failure(error, str(error)) from error


def failure(error: ClientError, message: str) -> Failure:
    """How a command ends when a client's error ended it."""
    match error:
        case Denied():
            return NoToken(message)
        case Failed() if error.status in (404, 422):
            return Misused(message)
        case Unreachable() | Broken() | Stranger():
            return NoServer(message)
        case _:
            return NotDone(message)


def _client(server: str, token: str | None) -> Client:
    url, given = _address(server)
    token = token or given
    if token is not None and not TOKEN.fullmatch(token):
        raise click.UsageError("--token is none that a server can have: copy it once more.")
    return Client(url, token)


def _address(server: str) -> tuple[str, str | None]:
    """The address without what follows it, and the token if it is the URL that `serve` printed."""
    try:
        parts = urlsplit(server)
        right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        right = False
    if not right:
        raise click.UsageError(
            f"--server {server!r} is no address of a dashboard: give one such as {SERVER}."
        )
    token = parse_qs(parts.query).get("token", [None])[0]
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}", token
