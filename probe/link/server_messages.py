"""The messages of the server, read and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from .frames import PROTOCOL

Message: TypeAlias = Mapping[str, Any]

REQUESTS = frozenset({"command", "preview", "trial", "focus"})
"""The messages by which the server asks for something."""

_FIELDS: Mapping[str, frozenset[str]] = {
    "welcome": frozenset({"protocol", "run", "last_seq"}),
    "ack": frozenset({"seq"}),
    "command": frozenset({"id", "kind"}),
    "preview": frozenset({"request", "kind", "target"}),
    "trial": frozenset({"request", "site"}),
    "focus": frozenset({"parameters", "seconds"}),
    "error": frozenset({"message"}),
}
"""The fields of each message without which it means nothing."""


class Refusal(Exception):
    """The server answered with an ``error`` message."""

    def __init__(self, message: str, retry: bool) -> None:
        super().__init__(message)
        self.retry = retry


class ForeignMessage(Exception):
    """What answers there does not speak this protocol."""


def parse_message(text: str | bytes) -> Message:
    """Read a message of the server.

    Raises :class:`Refusal` for an ``error`` and for another version of the protocol, and
    :class:`ForeignMessage` for what is no message of this protocol.
    """
    try:
        message = json.loads(text)
    except ValueError:
        raise ForeignMessage(f"it sent {text[:60]!r}") from None
    if not isinstance(message, dict) or message.get("type") not in _FIELDS:
        raise ForeignMessage(f"it sent {text[:60]!r}")
    if message["type"] == "error":
        raise Refusal(str(message.get("message")), bool(message.get("retry", False)))
    if message["type"] == "welcome" and message.get("protocol", PROTOCOL) != PROTOCOL:
        raise Refusal(
            f"it speaks protocol {message['protocol']}, this probe {PROTOCOL}; "
            "upgrade the older one with pip install --upgrade gradgate",
            retry=False,
        )
    missing = _FIELDS[message["type"]] - message.keys()
    if missing:
        raise ForeignMessage(f"its {message['type']} lacks {', '.join(sorted(missing))}")
    return message
