"""From a target (a parameter's name, a module's path or a glob) to names, as the job reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase


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
