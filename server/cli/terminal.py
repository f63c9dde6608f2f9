"""Names, numbers and tables as a terminal shows them."""

from __future__ import annotations

from collections.abc import Sequence

from ..protocol.unseen import marked

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def plain(text: str) -> str:
    """Return a text of a job or a server without what would steer the terminal."""
    return marked(text)


def listed(names: Sequence[str], count: int, shown: int = 3) -> str:
    """Return the first of `count` names, and how many more there are."""
    first = names[:shown]
    more = count - len(first)
    return ", ".join(first) + (f" and {more:,} more" if more else "")


def plural(count: int, noun: str) -> str:
    """Return a number and its noun."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def size(count: int) -> str:
    """Return bytes to three significant digits, in powers of 1,000."""
    value, unit = float(count), 0
    while abs(value) >= 999.5 and unit < len(_UNITS) - 1:
        value /= 1000
        unit += 1
    return f"{value:.3g} {_UNITS[unit]}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int]) -> str:
    """Return rows under a head in columns, those of `right` aligned at their right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rows)
    ]
    return "\n".join(lines)
