"""From a target (a parameter's name, a module's path or a glob) to names, as the job reads it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from sqlalchemy import Connection

from .parameter_table import read_table
from .refusals import UnknownParameter


def meant(target: str, names: Sequence[Sequence[str]]) -> list[int]:
    """Return the places of what a target means, in order; `names` has all the names of each.

    A target is, in this order, an exact name, the path of a module (all below it), or a glob in
    which `*` is any text, dots included.
    """
    below = f"{target}."
    readings: tuple[Callable[[str], bool], ...] = (
        lambda name: name == target,
        lambda name: name.startswith(below),
        lambda name: fnmatchcase(name, target),
    )
    for fits in readings:
        found = [place for place, each in enumerate(names) if any(map(fits, each))]
        if found:
            return found
    return []


def chosen_places(connection: Connection, run: str, match: str | None) -> list[int]:
    """Return the places of the parameters of a run that a target means, None for all of them.

    Raises `UnknownParameter` for a target that means none.
    """
    table = read_table(connection, run)
    names = table.all_names
    if match is None:
        return list(range(len(names)))
    places = meant(match, names)
    if not places:
        near = difflib.get_close_matches(match, table.names, 3)
        hint = f"did you mean {', '.join(map(repr, near))}?" if near else "none is named like it."
        raise UnknownParameter(f"{match!r} means no parameter of run {run!r}: {hint}")
    return places
