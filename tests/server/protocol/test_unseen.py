"""Characters of names that would not be seen."""

from __future__ import annotations

import pytest

from gradgate.server.protocol.unseen import MARK, marked


@pytest.mark.parametrize(
    "character",
    [
        *("\x00", "\x1b", "\r", "\x85", "\xa0", "\xad"),
        *("\u200b", "\u200f", "\u202e", "\u2066", "\u2069", "\ufeff"),
        *("\u034f", "\u115f", "\u1160", "\u2800", "\u3164", "\uffa0", "\ufe00", "\U000e0100"),
    ],
)
def test_what_nobody_sees_has_a_mark(character: str) -> None:
    """Whether Unicode has it for a control, a mark of direction, a blank or a letter."""
    assert marked(f"a{character}b") == f"a{MARK}b"


def test_what_is_seen_stays() -> None:
    """Letters of any script, emoji and what is to be kept."""
    for text in ("encoder.0.weight", "שלום", "é", "❤\ufe0f", "a b"):
        assert marked(text) == text
    assert marked("a\nb\tc", keep="\n") == f"a\nb{MARK}c"
