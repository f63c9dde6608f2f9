"""Sends a server what is in a recording, as the run itself would have."""

from __future__ import annotations

import asyncio

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import WebSocketException

from ..spool.recording import Recording
from .address import ServerAddress
from .bundle import bundled
from .frames import encode_json
from .outbox import Entry
from .server_messages import ForeignMessage, Message, Refusal, parse_message
from .sockets import connected

FAILURES = (Refusal, ForeignMessage, OSError, asyncio.TimeoutError, WebSocketException)
"""What a server, or the way to it, may do."""
STORED_WITHIN = 60.0
"""Seconds without a word of a server that has something to store, after which it is given up."""


async def replay(recording: Recording, address: ServerAddress) -> int:
    """Send what a server lacks; return how many frames that were, once they are stored.

    What the server has already it takes no second time: a frame's number says so. Raises one of
    ``FAILURES`` where that cannot be done, and ValueError for what is no address.
    """
    async with connected(address) as socket:
        await socket.send(encode_json(recording.hello))
        stored = (await _until(socket, "welcome"))["last_seq"]
        sent = asyncio.create_task(_send(socket, recording, stored))
        try:
            if recording.last_seq > stored:
                stored_now = 0
                while stored_now < recording.last_seq:
                    stored_now = (await _until(socket, "ack"))["seq"]
                if stored_now > recording.last_seq:
                    raise ForeignMessage(f"it says that it has stored frame {stored_now}")
            await sent
        finally:
            sent.cancel()
        if recording.bye is not None:
            await socket.send(encode_json(recording.bye))
            await _until(socket, "bye")
        return sum(1 for _ in recording.after(stored))


async def _until(socket: ClientConnection, kind: str) -> Message:
    """Wait for a message of a kind; commands are for a job, and this is none."""
    while True:
        text = await asyncio.wait_for(socket.recv(), STORED_WITHIN)
        message = parse_message(text)
        if message["type"] == kind:
            return message


async def _send(socket: ClientConnection, recording: Recording, stored: int) -> None:
    for message, _ in bundled(Entry(each.seq, each.frame) for each in recording.after(stored)):
        await socket.send(message)
