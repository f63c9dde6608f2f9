"""Texts as a server takes them."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from gradgate.probe.base.wire_text import MOST, wire_text
from gradgate.server.protocol.fields import Text


@pytest.mark.parametrize("text", ["", "as it is", "no\0 NUL", "x" * (MOST + 1), "🙂" * 9000])
def test_a_server_takes_it(text: str) -> None:
    """Whatever it is, and what is short and has no NUL stays as it is."""
    told = wire_text(text)
    assert TypeAdapter(Text).validate_python(told) == text.replace("\0", "")[:MOST]
    assert wire_text(text, 3) == told[:3]
