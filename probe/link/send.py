"""Sends recordings to a server: the process behind ``gradgate send`` and ``gradgate open``.

Usage: python -m gradgate.probe.link.send SERVER FILE..., with a token in $GRADGATE_TOKEN. SERVER is
``-`` for the one that a file itself names. What a job has left is removed once it is stored; a file
that a script asked for is kept.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout
from websockets.exceptions import WebSocketException

from ..spool.recording import NoRecordingError, Recording
from ..spool.spool import lock_of
from .address import server_address
from .replay import replay
from .server_messages import ForeignMessage, Refusal


class NotSentError(Exception):
    """A recording could not be sent; the text is a sentence."""


def main(arguments: Sequence[str]) -> int:
    """Send each file, say what became of it, and return 1 if one could not be sent, else 0."""
    server, *files = arguments
    sent = [_told(Path(file), None if server == "-" else server) for file in files]
    return 0 if all(sent) else 1


def _told(file: Path, server: str | None) -> bool:
    """Send a file, say what became of it, and return whether it is stored."""
    try:
        print(_send(file, server), flush=True)
    except (NotSentError, NoRecordingError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return False
    return True


def _send(file: Path, server: str | None) -> str:
    lock = FileLock(lock_of(file), blocking=False, thread_local=False)
    try:
        with lock:
            recording = Recording(file)
            url = server or recording.server or os.environ.get("GRADGATE_SERVER")
            if url is None:
                raise NotSentError(f"{str(file)!r} names no server: say which with --server URL.")
            sent = _replayed(recording, url)
            if recording.server is not None:
                file.unlink()
    except Timeout as error:
        raise NotSentError(
            f"the job of {str(file)!r} still runs, and sends it by itself once a server is there."
        ) from error
    except OSError as error:
        raise NotSentError(f"{str(file)!r} cannot be read ({error}).") from error
    finally:
        lock_of(file).unlink(missing_ok=True)
    return sent


def _replayed(recording: Recording, url: str) -> str:
    try:
        address = server_address(url)
        became = asyncio.run(replay(recording, address))
    except Refusal as error:
        raise NotSentError(f"the dashboard at {address.shown} refused: {error}") from error
    except ForeignMessage as error:
        raise NotSentError(f"what answers at {address.shown} is no dashboard: {error}") from error
    except ValueError as error:
        raise NotSentError(str(error)) from error
    except (OSError, WebSocketException) as error:
        raise NotSentError(
            f"no dashboard at {address.shown} took it ({type(error).__name__}: {error})."
        ) from error
    name = recording.hello["name"]
    page = f"{address.shown}/runs/{recording.hello['run']}"
    if not recording.frames:
        return f"{recording.path}: the end of the run {name!r} is stored. {page}"
    known = recording.frames - became.stored - became.refused
    return (
        f"{recording.path}: {became.stored} frames of the run {name!r} are stored"
        + (f"; {known} were there already" if known else "")
        + (f"; {became.refused} it does not take: please report that" if became.refused else "")
        + f". {page}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
