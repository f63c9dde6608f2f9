"""Parameters rolled up into fewer rows, pure: by module, as deep as there is room for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from math import ceil


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
    are rows, neighbours of one parent together; without any module, neighbours in the model are.
    """
    if len(names) <= rows:
        return [Group(name, [place]) for name, place in zip(names, places, strict=True)]
    paths = [name.split(".") for name in names]
    deeper: list[Group] = []
    for depth in range(max(map(len, paths)) - 1, 0, -1):
        groups = _below(paths, places, depth)
        if len(groups) <= rows:
            if deeper and 2 * len(groups) < rows:
                return _together(deeper, depth, rows)
            return groups
        deeper = groups
    return _neighbours(names, places, rows)


def _together(groups: Sequence[Group], depth: int, rows: int) -> list[Group]:
    """Put neighbours that lie below the same module of a depth together; there are few of these."""
    families: dict[tuple[str, ...], list[Group]] = {}
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
    return Group(f"{groups[0].name} … {groups[-1].name}", places)


def _below(paths: Sequence[Sequence[str]], places: Sequence[int], depth: int) -> list[Group]:
    """Group by the first parts of the path, without the parameter's own name unless it is all."""
    found: dict[str, list[int]] = {}
    for path, place in zip(paths, places, strict=True):
        module = path[: min(depth, max(1, len(path) - 1))]
        found.setdefault(".".join(module), []).append(place)
    return [Group(name, group) for name, group in found.items()]


def _neighbours(names: Sequence[str], places: Sequence[int], rows: int) -> list[Group]:
    bounds = [row * len(names) // rows for row in range(rows + 1)]
    alone = [Group(name, [place]) for name, place in zip(names, places, strict=True)]
    return [_one(alone[start:end]) for start, end in pairwise(bounds)]
