"""Texts as the wire protocol takes them."""

from __future__ import annotations

import hashlib
import re

MOST = 8000
"""Characters of a sentence at most; a server takes few more, which a test holds."""
MARK = 8
"""Hexadecimal digits of a mark."""
SUBSTITUTE, OMISSION = "?", "…"
"""What stands for a character that no server takes, and for a beginning: each name that is told
otherwise than it is has one of them."""
LONGEST_NAME = 512
"""Characters of the name of a parameter or a module at most, and of a target."""
LONGEST_LABEL = 1024
"""Characters of a station of a gradient's way, at most."""
LONGEST_FILE = 4900
"""Characters of a file's path at most: more than any system has, and fewer than a line's place."""


def wire_text(text: str, most: int = MOST) -> str:
    """Return a text without NUL, and cut where it has more than ``most`` characters.

    A sentence quotes what people and scripts have given, which may be anything, and a server ends
    the connection over a text that it does not take.
    """
    return text.replace("\0", "")[:most]


_UNTOLD = re.compile("[\0\ud800-\udfff]")
"""NUL, and halves of surrogate pairs, of which a name has some where bytes are none of UTF-8."""


def wire_name(name: str, most: int) -> str:
    """Return the name of a part of a model, which may be any string, as a server takes it.

    One of more than ``most`` characters keeps its end, where the names of a model differ, and ``?``
    stands for what no server takes. Behind such a name there is a mark of all of it, so that it is
    told the same whatever other names there are, and no two alike.
    """
    if len(name) <= most and _UNTOLD.search(name) is None:
        return name
    whole = hashlib.sha256(name.encode("utf-8", "surrogatepass"))
    mark = f" #{whole.hexdigest()[:MARK]}"
    told, room = _UNTOLD.sub(SUBSTITUTE, name), most - len(mark)
    return (told if len(told) <= room else OMISSION + told[1 - room :]) + mark
