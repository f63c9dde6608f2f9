"""Parameters rolled up into fewer rows, pure: by module, as deep as there is room for."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from itertools import count, takewhile
from math import ceil

Path = tuple[str, ...]

NEIGHBOURS = " … "
"""Stands between the first and the last of neighbours in the name of a row."""


@dataclass(frozen=True, slots=True)
class Group:
    """A row: what it is called, and the places of its parameters."""

    name: str
    places: list[int]


def rolled_up(names: Sequence[str], places: Sequence[int], rows: int) -> list[Group]:
    """Return at most `rows` groups of parameters, in the order of the model.

    `names` are those of the parameters at `places`. Each is a row of its own when there is room;
    else those below the same module are, by the deepest modules for which there is room. Where that
    leaves more than half of the room, as of many layers in one list, the next deeper modules
    are rows, neighbours of one parent together; so are the parameters of a single module.
    """
    alone = [Group(name, [place]) for name, place in zip(names, places, strict=True)]
    if len(names) <= rows:
        return alone
    paths = [tuple(name.split(".")) for name in names]
    deepest = max(map(len, paths)) - 1
    parents = {path[:end] for path in paths for end in range(1, len(path) - 1)}
    deeper = alone
    for depth in range(deepest, 0, -1):
        groups = _below(paths, places, parents, depth)
        if len(groups) <= rows:
            can_split = depth < deepest or len(groups) == 1
            return (
                _together(deeper, depth, rows) if can_split and 2 * len(groups) < rows else groups
            )
        deeper = groups
    return _together(deeper, 0, rows)


def places_between(names: Sequence[str], stretch: str) -> list[int]:
    """Return the places of a row of neighbours, by its name: `layers.0 … layers.3`.

    They are what lies in the first, the last, and all that begin between these in the module that
    both are in. Empty for what names no such row.
    """
    ends = [tuple(end.split(".")) for end in stretch.split(NEIGHBOURS)]
    if len(ends) != 2:
        return []
    first, last = ends
    shared = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))))
    children: dict[Path, list[int]] = {}
    for place, name in enumerate(names):
        path = tuple(name.split("."))
        if path[:shared] == first[:shared]:
            children.setdefault(path[: shared + 1], []).append(place)
    order = list(children)
    if first not in children or last not in children:
        return []
    between = order[order.index(first) : order.index(last) + 1]
    return sorted(place for child in between for place in children[child])


def _together(groups: Sequence[Group], depth: int, rows: int) -> list[Group]:
    """Put neighbours that lie below the same module of a depth together; there are few of these."""
    families: dict[Path, list[Group]] = {}
    for group in groups:
        families.setdefault(tuple(group.name.split(".")[:depth]), []).append(group)
    size = next(
        size
        for size in count(2)
        if sum(ceil(len(each) / size) for each in families.values()) <= rows
    )
    return [
        _one(each[start : start + size])
        for each in families.values()
        for start in range(0, len(each), size)
    ]


def _one(groups: Sequence[Group]) -> Group:
    if len(groups) == 1:
        return groups[0]
    places = [place for group in groups for place in group.places]
    return Group(f"{groups[0].name}{NEIGHBOURS}{groups[-1].name}", places)


def _below(
    paths: Sequence[Path], places: Sequence[int], parents: Set[Path], depth: int
) -> list[Group]:
    """Group by the first parts of the path, of which none is the path of another group.

    A parameter's own name is one of them where its module holds modules too, or there is no other.
    """
    found: dict[str, list[int]] = {}
    for path, place in zip(paths, places, strict=True):
        named = len(path) == 1 or path[:-1] in parents
        parts = path[: min(depth, len(path) if named else len(path) - 1)]
        found.setdefault(".".join(parts), []).append(place)
    return [Group(name, group) for name, group in found.items()]
