"""How a command of the command line ends when it does not succeed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from .choose_run import NoSuchRun
from .errors import Broken, ClientError, Denied, Failed, Stranger, Unreachable
from .terminal import plain


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
    """Return how a command ends when a client's error ended it."""
    match error:
        case Denied():
            return NoToken(message)
        case Failed() if error.status in (404, 422):
            return Misused(message)
        case Unreachable() | Broken() | Stranger():
            return NoServer(message)
        case _:
            return NotDone(message)
