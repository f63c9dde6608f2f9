"""Sends a server what is in a recording, as the run itself would have."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import WebSocketException

from ..spool.recording import Recording
from .address import ServerAddress
from .bundle import bundled
from .entry import Entry
from .frames import encode_json
from .outbox import MOST_REFUSED
from .server_messages import ForeignMessage, Message, Refusal, parse_message
from .sockets import connected

FAILURES = (Refusal, ForeignMessage, OSError, asyncio.TimeoutError, WebSocketException)
"""What a server, or the way to it, may do."""
STORED_WITHIN = 60.0
"""Seconds without a word of a server that has something to store, after which it is given up."""


@dataclass(frozen=True)
class Replayed:
    """What became of the frames that a server lacked."""

    stored: int
    refused: int
    """Those that it does not take, one by one; all others are stored."""


async def replay(recording: Recording, address: ServerAddress) -> Replayed:
    """Send what a server lacks; return what became of it, once it is stored.

    What the server has already it takes no second time: a frame's number says so. One that it
    refuses is left out. Raises one of ``FAILURES`` where that cannot be done, and ValueError for
    what is no address.
    """
    first: list[int] | None = None
    refused: set[int] = set()
    while True:
        async with connected(address) as socket:
            await socket.send(encode_json(recording.hello))
            stored = (await _until(socket, "welcome"))["last_seq"]
            lacking = [each.seq for each in recording.after(stored) if each.seq not in refused]
            first = lacking if first is None else first
            try:
                await _send(socket, recording, lacking)
            except Refusal as refusal:
                if refusal.seq not in lacking or len(refused) >= MOST_REFUSED:
                    raise
                refused.add(refusal.seq)
            else:
                return Replayed(len(first) - len(refused), len(refused))


async def _send(socket: ClientConnection, recording: Recording, lacking: Sequence[int]) -> None:
    """Send the frames of these numbers, and the goodbye, and wait until they are stored."""
    if lacking:
        sent = asyncio.create_task(_send_frames(socket, recording, frozenset(lacking)))
        try:
            stored = 0
            while stored < lacking[-1]:
                stored = (await _until(socket, "ack"))["seq"]
            if stored > recording.last_seq:
                raise ForeignMessage(f"it says that it has stored frame {stored}")
            await sent
        finally:
            sent.cancel()
    if recording.bye is not None:
        await socket.send(encode_json(recording.bye))
        await _until(socket, "bye")


async def _send_frames(
    socket: ClientConnection, recording: Recording, numbers: Collection[int]
) -> None:
    frames = (each for each in recording.after(0) if each.seq in numbers)
    for message, _ in bundled(Entry(each.seq, each.frame) for each in frames):
        await socket.send(message)


async def _until(socket: ClientConnection, kind: str) -> Message:
    """Wait for a message of a kind; commands are for a job, and this is none."""
    while True:
        async with asyncio.timeout(STORED_WITHIN):
            text = await socket.recv()
        message = parse_message(text)
        if message["type"] == kind:
            return message
