"""What the server says, read and checked."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from gradgate.probe.link.frames import PROTOCOL
from gradgate.probe.link.server_messages import ForeignMessage, Refusal, parse_message

COMPLETE: list[dict[str, Any]] = [
    {"type": "welcome", "protocol": PROTOCOL, "run": "r", "last_seq": 0},
    {"type": "ack", "seq": 3},
    {"type": "command", "id": 1, "kind": "freeze"},
    {"type": "preview", "request": 1, "kind": "freeze", "target": "a"},
    {"type": "trial", "request": 1, "site": "output:a"},
]


@pytest.mark.parametrize("message", COMPLETE, ids=lambda message: str(message["type"]))
def test_a_message_is_read_and_none_of_its_fields_may_be_missing(message: dict[str, Any]) -> None:
    """Without a field that it needs, a message is named as one of another program."""
    assert parse_message(json.dumps(message)) == message
    for field in message.keys() - {"type"}:
        rest = {name: value for name, value in message.items() if name != field}
        with pytest.raises(ForeignMessage, match=f"its {message['type']} lacks {field}"):
            parse_message(json.dumps(rest))


@pytest.mark.parametrize(
    ("message", "field", "wrong"),
    [
        (COMPLETE[0], "last_seq", "1"),
        (COMPLETE[0], "last_seq", float("inf")),
        (COMPLETE[1], "seq", 1.5),
        (COMPLETE[1], "seq", True),
        (COMPLETE[2], "id", None),
        (COMPLETE[2], "kind", ["freeze"]),
        (COMPLETE[2], "id", -7),
        (COMPLETE[2], "local", 1),
        (COMPLETE[2], "reserved", 1),
        (COMPLETE[3], "request", "1"),
        (COMPLETE[4], "request", -1),
        ({"type": "watched", "commands": []}, "commands", [1, -1]),
    ],
)
def test_a_field_of_another_type_is_shown(message: dict[str, Any], field: str, wrong: Any) -> None:
    """Nothing is read into it: what stands there is quoted."""
    told = f"the {field} of its {message['type']} is {wrong!r}"
    with pytest.raises(ForeignMessage, match=re.escape(told)):
        parse_message(json.dumps({**message, field: wrong}))


@pytest.mark.parametrize(
    "text",
    ["", "not json", "[]", "null", '{"type": "hello"}', b"\x00\xff", "[" * 100_000, '{"type": []}'],
    ids=range(8),
)
def test_what_is_no_message_is_shown(text: str | bytes) -> None:
    """What came is quoted, so that a person sees who answers there."""
    with pytest.raises(ForeignMessage, match="it sent "):
        parse_message(text)


@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 10**400])
def test_an_integer_that_not_every_reader_keeps_is_none(number: int) -> None:
    """Wherever it stands; the largest that they keep is read."""
    told = {"type": "command", "id": 1, "kind": "freeze", "limit": {"steps": number}}
    with pytest.raises(ForeignMessage, match="it sent "):
        parse_message(json.dumps(told))
    told["limit"] = {"steps": 2**53}
    assert parse_message(json.dumps(told)) == told


@pytest.mark.parametrize("retry", [True, False])
def test_an_error_is_a_refusal_that_says_whether_to_try_again(retry: bool) -> None:
    """The server's own words and its word on trying again are passed on."""
    text = json.dumps({"type": "error", "message": "No.", "retry": retry})
    with pytest.raises(Refusal, match=r"^No\.$") as refused:
        parse_message(text)
    assert refused.value.retry is retry


def test_another_version_of_the_protocol_is_refused_for_good() -> None:
    """Trying again would not help, and the sentence says what to upgrade."""
    welcome = {**COMPLETE[0], "protocol": PROTOCOL + 1}
    with pytest.raises(Refusal, match="upgrade the older one") as refused:
        parse_message(json.dumps(welcome))
    assert not refused.value.retry
