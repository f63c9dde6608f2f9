"""Which rows a grid has: each parameter, or when those are too many the modules that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby


def grouped(names: Sequence[str], limit: int) -> tuple[list[str], list[list[int]]]:
    """Return at most `limit` labels, and the places of the parameters of each, in model order.

    Parameters become modules of the greatest depth that is few enough; neighbours of a model that
    has too many modules at its top come together.
    """
    if len(names) <= limit:
        return list(names), [[place] for place in range(len(names))]
    depth = max(name.count(".") for name in names)
    while True:
        found = _modules(names, depth)
        if len(found) <= limit:
            return [label for label, _ in found], [places for _, places in found]
        if depth <= 1:
            return _together(found, limit)
        depth -= 1


def _modules(names: Sequence[str], depth: int) -> list[tuple[str, list[int]]]:
    """Return the modules of a depth; what lies above it stays as it is."""

    def module(place: int) -> str:
        parts = names[place].split(".")
        return ".".join(parts[: min(depth, len(parts) - 1)]) or names[place]

    return [(label, list(places)) for label, places in groupby(range(len(names)), module)]


def _together(
    modules: Sequence[tuple[str, list[int]]], limit: int
) -> tuple[list[str], list[list[int]]]:
    size = -(-len(modules) // limit)
    labels, groups = [], []
    for start in range(0, len(modules), size):
        part = modules[start : start + size]
        first, last = part[0][0], part[-1][0]
        labels.append(first if first == last else f"{first} … {last}")
        groups.append([place for _, places in part for place in places])
    return labels, groups
