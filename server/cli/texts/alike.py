"""Sentences of many parameters that differ in the name alone, said once."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..terminal import listed

_NAMED = 3


def nameless(text: str, name: str) -> str:
    """Return a text with a mark in place of a name, where that is no part of a longer one."""
    return re.sub(rf"(?<![\w.\]]){re.escape(name)}(?![\w\[]|\.\w)", "\0", text)


def names_of(names: Sequence[str]) -> str:
    """Return up to three names, or the first and how many more there are."""
    return listed(names, len(names), _NAMED if len(names) <= _NAMED else 1)
