"""Which run a person means."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from ..protocol.run_names import runs_of_name
from ..protocol.runs import RunRow

_SHOWN = 5


class NoSuchRun(Exception):
    """What was given means no run, or more than one; the message says what to give instead."""


def choose(rows: Sequence[RunRow], wanted: str) -> RunRow:
    """Return the run of an id, of the beginning of one, of a `NAME#N`, or of a name.

    A name means the one live run that has it, or else the latest. Raises `NoSuchRun`.
    """
    for row in rows:
        if row.id == wanted:
            return row
    named = runs_of_name(rows, wanted)
    begun = [row for row in rows if wanted and row.id.startswith(wanted)]
    found = list({row.id: row for row in (*named, *begun)}.values())
    if len(found) == 1:
        return found[0]
    raise NoSuchRun(_ambiguous(wanted, found) if found else _unknown(wanted, rows))


def _ambiguous(wanted: str, found: Sequence[RunRow]) -> str:
    return (
        f"{wanted!r} may be any of {len(found)} runs: {_listed(found)}. "
        "Give the name with its number, or an id, or as much of one as is needed."
    )


def _unknown(wanted: str, rows: Sequence[RunRow]) -> str:
    near = difflib.get_close_matches(wanted, [row.name for row in rows], 3)
    hint = f" Did you mean {', '.join(map(repr, near))}?" if near else ""
    return f"There is no run {wanted!r}: `gradgate runs` lists those that there are.{hint}"


def _listed(rows: Sequence[RunRow]) -> str:
    shown = [f"{row.id} ({row.name}#{row.number}, {row.status.value})" for row in rows[:_SHOWN]]
    more = len(rows) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
