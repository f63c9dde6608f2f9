"""Texts as the wire protocol takes them."""

from __future__ import annotations

MOST = 8000
"""Characters of a sentence at most; a server takes few more, which a test holds."""


def wire_text(text: str, most: int = MOST) -> str:
    """Return a text without NUL, and cut where it has more than ``most`` characters.

    A sentence quotes what people and scripts have given, which may be anything, and a server ends
    the connection over a text that it does not take.
    """
    return text.replace("\0", "")[:most]
