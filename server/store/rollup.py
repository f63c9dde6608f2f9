"""Parameters rolled up into fewer rows, pure: by module, as deep as there is room for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Group:
    """A row: what it is called, and the places of its parameters."""

    name: str
    places: list[int]


def rolled_up(names: Sequence[str], places: Sequence[int], rows: int) -> list[Group]:
    """Return at most `rows` groups of parameters, in the order of the model.

    `names` are those of the parameters at `places`. Each is a row of its own when there is room;
    else those below the same module are, by the deepest modules for which there is room; else
    neighbours.
    """
    if len(names) <= rows:
        return [Group(name, [place]) for name, place in zip(names, places, strict=True)]
    paths = [name.split(".") for name in names]
    for depth in range(max(map(len, paths)) - 1, 0, -1):
        groups = _below(paths, places, depth)
        if len(groups) <= rows:
            return groups
    return _neighbours(names, places, rows)


def _below(paths: Sequence[Sequence[str]], places: Sequence[int], depth: int) -> list[Group]:
    """Group by the first parts of the path, without the parameter's own name unless it is all."""
    found: dict[str, list[int]] = {}
    for path, place in zip(paths, places, strict=True):
        module = path[: min(depth, max(1, len(path) - 1))]
        found.setdefault(".".join(module), []).append(place)
    return [Group(name, group) for name, group in found.items()]


def _neighbours(names: Sequence[str], places: Sequence[int], rows: int) -> list[Group]:
    bounds = [row * len(names) // rows for row in range(rows + 1)]
    return [
        Group(f"{names[start]} … {names[end - 1]}", list(places[start:end]))
        for start, end in pairwise(bounds)
    ]
