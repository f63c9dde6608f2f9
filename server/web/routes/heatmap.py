"""The route of heat maps."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from fastapi import HTTPException, Query
from starlette.responses import Response

from ...protocol import limits
from ...protocol.columns import Column, numbers, words
from ...protocol.heatmap import CELLS, HeatmapLine, HeatmapRows
from ...protocol.states import State
from ...protocol.statistics import STORED_STATISTICS
from ...store.buckets import plain
from ...store.heatmaps.heatmap import Heatmap, Values, read_heatmap
from ...store.levels.cover import Range
from ..dependencies import PartsOf, ReadRunOf
from ..packed import Packed, in_columns, in_json

Step = Annotated[int | None, Query(ge=0, le=limits.NUMBER)]
Match = Annotated[str | None, Query(min_length=1, max_length=limits.NEIGHBOURS_CHARACTERS)]

_LABELS = [state.label for state in State]
_ZERO, _LEAST = 1, 2
"""The shades of a packed heat map for zero, and for the least value above it."""
_SHADES = 255 - _LEAST
"""Steps from there to the greatest value."""


def get_heatmap(
    run: ReadRunOf,
    parts: PartsOf,
    packed: Packed,
    stat: Literal["grad_norm", "grad_max", "update_ratio", "weight_norm"] = "grad_norm",
    of: Literal["max", "min", "mean"] = "max",
    first_step: Annotated[Step, Query(alias="from")] = None,
    last_step: Annotated[Step, Query(alias="to")] = None,
    columns: Annotated[int, Query(ge=1, le=4096)] = 600,
    rows: Annotated[int, Query(ge=1, le=4096)] = 256,
    match: Match = None,
) -> Response:
    """A statistic and the worst state of parameters by steps, in JSON or packed in columns."""
    if columns * rows > CELLS:
        raise HTTPException(
            422, f"A heat map has at most {CELLS:,} cells: ask for fewer columns or rows."
        )
    with parts.store.read() as connection:
        steps = Range(first_step, last_step)
        statistic = STORED_STATISTICS[stat]
        found = read_heatmap(
            connection, run, match, statistic, of, steps, columns, rows, parts.cells.read
        )
    if packed:
        return in_columns(_columns(found))
    lines = [
        HeatmapLine(
            name=group.name,
            parameters=len(group.places),
            values=plain(values),
            states=[_LABELS[code] for code in states],
        )
        for group, values, states in zip(found.groups, found.values, found.states, strict=True)
    ]
    answer = HeatmapRows(
        stat=stat,
        of=of,
        first=found.first_steps.tolist(),
        last=found.last_steps.tolist(),
        rows=lines,
    )
    return in_json(answer.model_dump_json())


def _columns(found: Heatmap) -> dict[str, Column]:
    shades, least, greatest = shaded(found.values)
    return {
        "first": numbers(found.first_steps.astype(np.float64)),
        "last": numbers(found.last_steps.astype(np.float64)),
        "rows": words([group.name for group in found.groups]),
        "parameters": numbers(np.array([len(each.places) for each in found.groups], np.uint32)),
        "range": words([least, greatest]),
        "shades": numbers(shades.ravel()),
        "states": numbers(found.states.ravel()),
    }


def shaded(values: Values) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint8]], float, float]:
    """Return values in a byte each, and the decades of the least and the greatest above zero.

    0 stands for no value, 1 for zero; 2 to 255 divide what is between the least and the greatest
    above it, on a scale of logarithms.
    """
    shades = np.where(values == 0, _ZERO, 0).astype(np.uint8)
    there = np.isfinite(values) & (values > 0)
    if not there.any():
        return shades, 0.0, 0.0
    decades = np.log10(values[there].astype(np.float64))
    least, greatest = float(decades.min()), float(decades.max())
    width = (greatest - least) or 1.0
    shades[there] = np.round((decades - least) / width * _SHADES).astype(np.uint8) + _LEAST
    return shades, least, greatest
