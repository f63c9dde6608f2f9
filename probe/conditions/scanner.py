"""The text of a condition, read token by token before Python's parser sees it.

What passes is short, is one line of plain ASCII, nests its parentheses within bounds and holds
no strings, brackets, statements or oversized numbers, so that the parser is quick with it.
"""

from __future__ import annotations

import keyword
import math
import re

from ..base.errors import ConditionError
from .functions import FUNCTIONS

MAX_LENGTH = 1_000
MAX_DEPTH = 32

ALLOWED = (
    "allowed are numbers, names, comparisons, and, or, not, + - * / % **, 'a if c else b', "
    f"parentheses and the functions {', '.join(FUNCTIONS)}"
)

_WORDS = frozenset({"and", "or", "not", "if", "else", "True", "False"})
_TOKEN = re.compile(
    r"(?P<space>\ +)"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<operator>\*\*|//|[<>=!]=|[-+*/%<>().,])",
    re.ASCII,
)
_NUMBER_LIKE = re.compile(r"[\w.]+", re.ASCII)

_HINTS = {
    "a string": "'\"`",
    "a subscript or a list": "[]",
    "a set, a dictionary or a format": "{}",
    "a lambda, a slice or ':='": ":",
    "a bitwise operator": "&|^~",
    "an assignment": "=",
    "a line break or a tab": "\n\r\t\f\v",
}
_ADVICE = {
    "&": "write and",
    "|": "write or",
    "^": "write != or **",
    "~": "write not",
    "=": "write == to compare",
    "!": "write != or not",
    "//": "write /",
    "\n": "write a space: a condition is one line",
    "\t": "write a space",
}


def scan(text: str) -> None:
    """Raise :class:`ConditionError` for a text that is not worth parsing."""
    if not isinstance(text, str):
        raise ConditionError(
            f"a condition is a text such as 'norm > 10', not {text!r:.40} ({type(text).__name__})"
        )
    if len(text) > MAX_LENGTH:
        raise ConditionError(
            f"the condition has {len(text):,} characters; at most {MAX_LENGTH:,} are allowed",
            MAX_LENGTH,
        )
    if not text.strip(" "):
        raise ConditionError("the condition is empty; write one such as 'norm > 10', or True", 0)
    _scan_tokens(text)


def _scan_tokens(text: str) -> None:
    opened: list[int] = []
    column = 0
    while column < len(text):
        token = _TOKEN.match(text, column)
        if token is None:
            raise _refused_character(text, column)
        found = token.group()
        if token.lastgroup == "number":
            _check_number(text, column, token.end())
        elif token.lastgroup == "word":
            _check_word(text, column, found)
        elif found == "//":
            raise ConditionError(f"'//' is not allowed; {_ADVICE['//']}", column, text)
        elif found == "(":
            opened.append(column)
            if len(opened) > MAX_DEPTH:
                raise too_deep(column, text)
        elif found == ")":
            if not opened:
                raise ConditionError("this ')' closes nothing", column, text)
            opened.pop()
        column = token.end()
    if opened:
        raise ConditionError("this '(' is never closed", opened[-1], text)


def too_deep(column: int, text: str) -> ConditionError:
    """Return the error for a text that nests too deep at ``column``."""
    return ConditionError(
        f"the condition is nested too deep; at most {MAX_DEPTH} levels are allowed", column, text
    )


def _check_number(text: str, start: int, end: int) -> None:
    number = text[start:end]
    following = _NUMBER_LIKE.match(text, end)
    if following is not None or re.fullmatch(r"0\d+", number):
        shown = number + (following.group() if following else "")
        raise ConditionError(
            f"{shown[:40]!r} is no number; write one such as 10, 0.5 or 1e-3", start, text
        )
    if math.isinf(float(number)):
        shown = number if len(number) <= 20 else f"{number[:20]}..."
        raise ConditionError(
            f"the number {shown} is too large; at most 1.79e308 is allowed", start, text
        )


def _check_word(text: str, column: int, word: str) -> None:
    if keyword.iskeyword(word) and word not in _WORDS:
        raise ConditionError(f"{word!r} is not allowed in a condition; {ALLOWED}", column, text)


def _refused_character(text: str, column: int) -> ConditionError:
    found = text[column]
    if not found.isascii():
        return ConditionError(
            f"the character {found!r} is not allowed; a condition is written in plain ASCII, and "
            "in the name of a metric _ stands for every other character than A-Z a-z 0-9 _",
            column,
            text,
        )
    kind = next((kind for kind, marks in _HINTS.items() if found in marks), None)
    shown = repr(found) if kind is None else f"{kind} ({found!r})"
    return ConditionError(
        f"{shown} is not allowed in a condition; {_ADVICE.get(found, ALLOWED)}",
        column,
        text,
    )
