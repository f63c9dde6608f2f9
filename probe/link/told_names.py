"""How the names of a table are told: no two alike."""

from __future__ import annotations

from collections.abc import Sequence

from ..base.wire_text import wire_name


def told_names(names: Sequence[str], most: int) -> dict[str, str]:
    """Return how each of some names is told, by name, in ``most`` characters at most.

    As it is, if a server takes it; else as :func:`wire_name` has it, with a number where that is
    told of another.
    """
    told = {name: told for name in names if (told := wire_name(name, most)) == name}
    taken = set(told)
    for name in names:
        if name not in told:
            told[name] = _free(name, most, taken)
            taken.add(told[name])
    return told


def _free(name: str, most: int, taken: set[str]) -> str:
    free, number = wire_name(name, most), 2
    while free in taken:
        free, number = wire_name(f"{name} ({number})", most), number + 1
    return free
