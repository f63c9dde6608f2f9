"""A heat map as a drawing: one path for each colour, and one for each state of a row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...protocol.states import State
from ...store.heatmaps.heatmap import Heatmap
from .axis import round_ticks
from .marks import MARKS, Mark
from .ramp import decade_domain, levels, ramp_colors
from .words import count, number, short, visible

TOP, WIDTH, RIGHT = 26, 960, 74
"""Above the cells, their own width, and right of them, in pixels."""
_LETTER = 6.2
"""How wide a letter of a label is, about."""
ROW = 15
_GAP = 1
_NARROWEST = 2
_TOLD = 3
_GLYPH = 10


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its name, and what was last measured."""

    y: int
    name: str
    label: str
    title: str
    mark: Mark
    latest: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """The cells of a row that have one state, and glyphs where there is room for one."""

    mark: Mark
    title: str
    path: str
    glyphs: list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Place:
    """A place on an axis, and what is written there."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the columns are: each as wide as its steps, but none too narrow to be seen."""

    starts: NDArray[np.int64]
    """The first step of each column, or of one before it where the job went back."""
    end: int
    """The step behind the last."""
    edges: NDArray[np.float64]

    def place(self, step: float) -> float:
        """Return where a step begins, in pixels; a step outside is the nearer end."""
        column = int(np.searchsorted(self.starts, step, side="right")) - 1
        if column < 0:
            return float(self.edges[0])
        following = self.starts[column + 1] if column + 1 < len(self.starts) else self.end
        share = min(1.0, (step - self.starts[column]) / max(1, following - self.starts[column]))
        left, right = self.edges[column], self.edges[column + 1]
        return round(float(left + share * (right - left)), 1)


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn; all in pixels."""

    width: int
    height: int
    left: int
    top: int
    right: int
    bottom: int
    rows: list[Row]
    colors: list[tuple[str, str]]
    """A colour, and the path of the cells that have it."""
    stretches: list[Stretch]
    ticks: list[Place]
    parts: list[int]
    """Where a module at the top of the model begins."""
    decades: list[Place]
    """On the colour bar, from 0 to 1."""
    bar: list[str]
    caption: str
    columns: Columns


def draw(found: Heatmap) -> Drawing:
    """Draw a heat map that has columns."""
    rows = len(found.groups)
    domain = decade_domain(found.values)
    drawn = [_row(found, place) for place in range(rows)]
    left = round(max(len(row.label) for row in drawn) * _LETTER) + 18
    columns = _columns(found, left)
    bottom = TOP + rows * ROW
    low, high = domain
    return Drawing(
        width=left + WIDTH + RIGHT,
        height=bottom + 24,
        left=left,
        top=TOP,
        right=left + WIDTH,
        bottom=bottom,
        rows=drawn,
        colors=_colors(found, columns, domain),
        stretches=[each for place in range(rows) for each in _stretches(found, place, columns)],
        ticks=[
            Place(columns.place(step), f"{step:,.0f}")
            for step in round_ticks(float(columns.starts[0]), float(columns.end), 8)
            if step == int(step)
        ],
        parts=_parts([row.name for row in drawn]),
        decades=[
            Place((each - low) / (high - low), f"{each}".replace("-", "−"))
            for each in range(low, high + 1)
        ],
        bar=ramp_colors(),
        caption=_caption(found),
        columns=columns,
    )


def _columns(found: Heatmap, left: int) -> Columns:
    starts = np.maximum.accumulate(found.first_steps)
    end = int(found.last_steps.max()) + 1
    spans = np.diff(np.append(starts, end)).astype(float)
    widths = np.maximum(spans, spans.sum() * _NARROWEST / WIDTH)
    edges = left + WIDTH * np.cumsum([0, *widths]) / widths.sum()
    return Columns(starts, end, np.round(edges))


def _row(found: Heatmap, place: int) -> Row:
    name = visible(found.groups[place].name)
    size = len(found.groups[place].places)
    norms = found.values[place]
    known = norms[~np.isnan(norms)]
    mark = MARKS[State(int(found.states[place, -1]))]
    held = "" if size == 1 else f" · {count(size, 'parameter')}"
    span = f"norm {number(known.min())} to {number(known.max())}" if len(known) else "no norm"
    latest = number(float(norms[-1])) if mark is MARKS[State.PRESENT] else mark.name
    return Row(
        y=TOP + place * ROW,
        name=name,
        label=short(name),
        title=f"{name}{held} · {span}",
        mark=mark,
        latest=latest,
    )


def _colors(found: Heatmap, columns: Columns, domain: tuple[int, int]) -> list[tuple[str, str]]:
    codes = levels(found.values, domain)
    codes[found.states != State.PRESENT] = -1
    paths: dict[int, list[str]] = defaultdict(list)
    for place, row in enumerate(codes):
        for code, start, end in _runs(row):
            if code >= 0:
                paths[code].append(_box(columns, place, start, end))
    colors = ramp_colors()
    return [(colors[code], "".join(path)) for code, path in sorted(paths.items())]


def _stretches(found: Heatmap, place: int, columns: Columns) -> Iterator[Stretch]:
    by_state: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for code, start, end in _runs(found.states[place]):
        if code not in (State.PRESENT, State.UNMEASURED):
            by_state[code].append((start, end))
    y = TOP + place * ROW + (ROW - _GAP - _GLYPH) / 2
    for code, runs in by_state.items():
        mark = MARKS[State(code)]
        where = [
            f"{found.first_steps[start]:,} to {found.last_steps[end - 1]:,}" for start, end in runs
        ]
        more = f" and {len(where) - _TOLD} more" if len(where) > _TOLD else ""
        name = visible(found.groups[place].name)
        yield Stretch(
            mark,
            f"{name}: {mark.name} at steps {', '.join(where[:_TOLD])}{more}",
            "".join(_box(columns, place, start, end) for start, end in runs),
            [
                (float(columns.edges[start]) + 2, y)
                for start, end in runs
                if columns.edges[end] - columns.edges[start] >= _GLYPH + 4
            ],
        )


def _runs(row: NDArray[np.integer[np.typing.NBitBase]]) -> Iterator[tuple[int, int, int]]:
    """Yield each run of equal cells: what they hold, its first and the one behind its last."""
    bounds = [0, *(np.flatnonzero(np.diff(row)) + 1).tolist(), len(row)]
    for start, end in pairwise(bounds):
        yield int(row[start]), start, end


def _box(columns: Columns, place: int, start: int, end: int) -> str:
    left, right = int(columns.edges[start]), int(columns.edges[end])
    return f"M{left} {TOP + place * ROW}h{right - left}v{ROW - _GAP}h{left - right}z"


def _parts(labels: Sequence[str]) -> list[int]:
    tops = [label.partition(".")[0] for label in labels]
    changes = [place for place in range(1, len(tops)) if tops[place] != tops[place - 1]]
    # Lines between single rows would be a second grid.
    return [TOP + place * ROW for place in changes] if len(changes) * 2 < len(tops) else []


def _caption(found: Heatmap) -> str:
    modules = any(len(group.places) > 1 for group in found.groups)
    rows = "module or a parameter" if modules else "parameter"
    steps = (int(found.last_steps.max()) + 1 - int(found.first_steps.min())) / len(found.last_steps)
    return (
        f"A row is a {rows}, in model order; a column is about {count(round(steps), 'step')}: "
        "their largest norm, or their worst state where that is a trouble or somebody’s wish."
    )
