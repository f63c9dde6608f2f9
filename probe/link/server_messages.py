"""The messages of the server, read and checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from .frames import PROTOCOL

Message: TypeAlias = Mapping[str, Any]

REQUESTS = frozenset({"command", "preview", "trial", "focus", "watched"})
"""The messages by which the server asks for something."""

LARGEST = 2**53
"""The largest integer of the protocol: every reader of JSON keeps it to the last digit."""
_UNDERSTOOD = (1, PROTOCOL)


def _exact(digits: str) -> int:
    """Read an integer; raises ValueError for one that the protocol has not (RFC 8259, 6)."""
    number = int(digits)
    if abs(number) > LARGEST:
        raise ValueError(f"{digits:.20} has more digits than every reader keeps")
    return number


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return _is_integer(value) and value >= 0  # type: ignore[operator]


def _is_none(value: object) -> bool:
    return value is None


def _is_number(value: object) -> bool:
    return _is_integer(value) or isinstance(value, float)


def _is_number_or_none(value: object) -> bool:
    return value is None or _is_number(value)


def _is_counts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_count, value))


def _is_history(value: object) -> bool:
    return value is None or (
        isinstance(value, dict)
        and isinstance(value.get("steps"), list)
        and isinstance(value.get("values"), dict)
        and all(isinstance(each, list) for each in value["values"].values())
    )


_FIELDS: Mapping[str, Mapping[str, Callable[[object], bool]]] = {
    "welcome": {"protocol": _is_integer, "run": _is_text, "last_seq": _is_count},
    "table": {},
    "ack": {"seq": _is_count, "gather": _is_number_or_none},
    "bye": {},
    "command": {
        "id": _is_count,
        "local": _is_none,
        "kind": _is_text,
        "reserved": _is_none,
        "age": _is_number_or_none,
        "expires": _is_number_or_none,
    },
    "preview": {"request": _is_count, "local": _is_none, "kind": _is_text, "target": _is_text},
    "trial": {"request": _is_count, "local": _is_none, "site": _is_text, "history": _is_history},
    "focus": {"parameters": _is_counts, "seconds": _is_number},
    "watched": {"commands": _is_counts},
    "error": {},
}
"""What the fields of each message are that must be there, or must be as the probe needs them.

A number that the probe says again, in a report or an answer, must be one that a server takes.
``local`` and ``reserved`` are what one rank tells another, and no server.
"""


class Refusal(Exception):
    """The server answered with an ``error`` message."""

    def __init__(self, message: str, retry: bool, seq: int | None = None) -> None:
        """``seq``: the number of the frame that it does not take, where it is one of these."""
        super().__init__(message)
        self.retry = retry
        self.seq = seq


class ForeignMessage(Exception):
    """What answers there does not speak this protocol."""


def parse_message(text: str | bytes) -> Message:
    """Read a message of the server.

    Raises :class:`Refusal` for an ``error`` and for another version of the protocol, and
    :class:`ForeignMessage` for what is no message of this protocol.
    """
    try:
        message = json.loads(text, parse_int=_exact)
    except (ValueError, RecursionError):
        raise ForeignMessage(f"it sent {text[:60]!r}") from None
    if not isinstance(message, dict) or str(message.get("type")) not in _FIELDS:
        raise ForeignMessage(f"it sent {text[:60]!r}")
    if message["type"] == "error":
        seq = message.get("seq")
        number = seq if _is_count(seq) else None
        raise Refusal(str(message.get("message")), bool(message.get("retry", False)), number)
    if message["type"] == "welcome" and message.get("protocol", PROTOCOL) not in _UNDERSTOOD:
        raise Refusal(
            f"it speaks protocol {message['protocol']}, this probe {PROTOCOL}; "
            "upgrade the older one, by `pip install --upgrade .` in a clone of the newer",
            retry=False,
        )
    for name, fits in _FIELDS[message["type"]].items():
        value = message.get(name)
        if fits(value):
            continue
        if name not in message:
            raise ForeignMessage(f"its {message['type']} lacks {name}")
        raise ForeignMessage(f"the {name} of its {message['type']} is {value!r:.60}")
    return message
