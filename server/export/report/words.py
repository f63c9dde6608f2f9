"""Numbers, times and texts as the report writes them."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from ...protocol.unseen import marked

_MINUS = "−"
_NONE = "–"
_LONG = 34


def number(value: float | None) -> str:
    """Return a number to three significant digits: 0.0123, 12.3, 1.23e−7."""
    if value is None or math.isnan(value):
        return _NONE
    if math.isinf(value):
        return "∞" if value > 0 else f"{_MINUS}∞"
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    if 0.001 <= abs(value) < 999.5:
        text = f"{value:.{max(0, 2 - int(exponent))}f}"
    else:
        text = f"{mantissa}e{int(exponent)}"
    return text.replace("-", _MINUS)


def count(value: int, noun: str) -> str:
    """Return a number and its noun."""
    return f"{value:,} {noun}" + ("" if value == 1 else "s")


def moment(seconds: float | None) -> str:
    """Return a time in UTC, to the second; nothing for one that no calendar has."""
    if seconds is None:
        return _NONE
    try:
        when = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return _NONE
    return when.strftime("%Y-%m-%d %H:%M:%S UTC")


def visible(text: str) -> str:
    """Return a text of a job with a mark for each character that would not be seen."""
    return marked(text, keep="\n")


def short(name: str, length: int = _LONG) -> str:
    """Return a name that fits, without its middle."""
    if len(name) <= length:
        return name
    tail = length * 2 // 3
    return f"{name[: length - tail - 1]}…{name[-tail:]}"


def prose(text: str) -> list[tuple[str, bool]]:
    """Return the pieces of a sentence, and of each whether it is code, which has ` around it."""
    pieces = visible(text).split("`")
    if len(pieces) % 2 == 0:
        return [(visible(text), False)]
    return [(piece, place % 2 == 1) for place, piece in enumerate(pieces) if piece]
