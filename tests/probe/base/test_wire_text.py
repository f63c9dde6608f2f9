"""Texts as a server takes them."""

from __future__ import annotations

import re

import pytest
from pydantic import TypeAdapter

from gradgate.probe.base.wire_text import (
    LONGEST_FILE,
    LONGEST_LABEL,
    LONGEST_NAME,
    MOST,
    wire_name,
    wire_text,
)
from gradgate.server.protocol import limits
from gradgate.server.protocol.fields import Label, ModulePath, ParameterName, Place, Text


@pytest.mark.parametrize("text", ["", "as it is", "no\0 NUL", "x" * (MOST + 1), "🙂" * 9000])
def test_a_server_takes_it(text: str) -> None:
    """Whatever it is, and what is short and has no NUL stays as it is."""
    told = wire_text(text)
    assert TypeAdapter(Text).validate_python(told) == text.replace("\0", "")[:MOST]
    assert wire_text(text, 3) == told[:3]


@pytest.mark.parametrize(
    ("field", "most"),
    [
        (ModulePath, LONGEST_NAME),
        (ParameterName, LONGEST_NAME),
        (Label, LONGEST_LABEL),
        (Place, LONGEST_FILE),
    ],
)
@pytest.mark.parametrize("name", ["layer.0", "\0", "a\0b\udc80", "layer." * 2000, "🙂" * 9000])
def test_a_server_takes_a_name(field: object, most: int, name: str) -> None:
    """One that is too long keeps its end, and nothing is left out but what no server takes."""
    told = wire_name(name, most)
    assert TypeAdapter(field).validate_python(told) == told
    if name == "layer.0":
        assert told == name
        return
    plain = name.replace("\0", "?").replace("\udc80", "?")
    assert re.fullmatch(" #[0-9a-f]{8}", told[-10:])
    assert told[:-10] == (plain if len(plain) <= most - 10 else "…" + plain[11 - most :])


def test_no_two_names_are_told_alike() -> None:
    """Those that differ in what no server takes, or at a beginning that is cut away, have marks."""
    names = ["a\0", "a\ud800", "a?", *(f"{number}{'.layer' * 200}" for number in range(100))]
    assert len({wire_name(name, LONGEST_NAME) for name in names}) == len(names)


def test_names_are_as_long_as_a_server_takes_them() -> None:
    """None is cut that need not be."""
    assert LONGEST_NAME == limits.NAME_CHARACTERS
    assert LONGEST_LABEL == limits.LABEL_CHARACTERS
    assert len(":18446744073709551616") <= limits.PLACE_CHARACTERS - LONGEST_FILE
