"""The answer of `GET /api/runs/{run}/heatmap`, as JSON."""

from __future__ import annotations

from .models import Row

CELLS = 1 << 20
"""Cells of one answer, at most."""


class HeatmapLine(Row):
    """A row of a heat map: a parameter, a module, or neighbours in the model."""

    name: str
    parameters: int
    values: list[float | None]
    states: list[str]


class HeatmapRows(Row):
    """Parameters or modules by steps; `first` and `last` are the steps of each column."""

    stat: str
    of: str
    first: list[int]
    last: list[int]
    rows: list[HeatmapLine]
