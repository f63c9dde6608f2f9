"""A grid as a drawing: one path for each colour, and one for each state of a row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...protocol.states import State
from .axis import round_ticks
from .grid import Grid
from .marks import MARKS, Mark
from .ramp import decade_domain, levels, ramp_colors
from .words import count, number, short, visible

TOP, WIDTH, RIGHT = 26, 960, 74
"""Above the cells, their own width, and right of them, in pixels."""
_LETTER = 6.2
"""How wide a letter of a label is, about."""
ROW = 15
_GAP = 1
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
class Heatmap:
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
    steps: tuple[float, float]
    """The first, and the one behind the last."""

    def place(self, step: int) -> float:
        """Return where a step begins."""
        share = (step - self.steps[0]) / (self.steps[1] - self.steps[0])
        return round(self.left + share * (self.right - self.left), 1)


def draw(grid: Grid) -> Heatmap:
    """Draw a grid."""
    rows, columns = grid.states.shape
    drawn = [_row(grid, place) for place in range(rows)]
    left = round(max(len(row.label) for row in drawn) * _LETTER) + 18
    edges = np.round(left + np.linspace(0, WIDTH, columns + 1)).astype(int)
    domain = decade_domain(grid.norms)
    bottom = TOP + rows * ROW
    low, high = float(grid.edges[0]), float(grid.edges[-1])
    decades = range(domain[0], domain[1] + 1)
    return Heatmap(
        width=left + WIDTH + RIGHT,
        height=bottom + 24,
        left=left,
        top=TOP,
        right=left + WIDTH,
        bottom=bottom,
        rows=drawn,
        colors=_colors(grid, edges, domain),
        stretches=[each for place in range(rows) for each in _stretches(grid, place, edges)],
        ticks=[
            Place(round(left + WIDTH * (step - low) / (high - low), 1), f"{step:,.0f}")
            for step in round_ticks(low, high, 8)
            if step == int(step)
        ],
        parts=_parts(grid.labels),
        decades=[
            Place((each - domain[0]) / (domain[1] - domain[0]), f"{each}".replace("-", "−"))
            for each in decades
        ],
        bar=ramp_colors(),
        caption=_caption(grid),
        steps=(low, high),
    )


def _row(grid: Grid, place: int) -> Row:
    name = visible(grid.labels[place])
    norms = grid.norms[place]
    found = norms[~np.isnan(norms)]
    mark = MARKS[State(int(grid.states[place, -1]))]
    held = "" if grid.counts[place] == 1 else f" · {count(grid.counts[place], 'parameter')}"
    span = "no norm" if not len(found) else f"norm {number(found.min())} to {number(found.max())}"
    latest = number(float(norms[-1])) if mark is MARKS[State.PRESENT] else mark.name
    return Row(
        y=TOP + place * ROW,
        name=name,
        label=short(name),
        title=f"{name}{held} · {span}",
        mark=mark,
        latest=latest,
    )


def _colors(grid: Grid, edges: NDArray[np.int_], domain: tuple[int, int]) -> list[tuple[str, str]]:
    codes = levels(grid.norms, domain)
    codes[grid.states != State.PRESENT] = -1
    paths: dict[int, list[str]] = defaultdict(list)
    for place, row in enumerate(codes):
        for code, start, end in _runs(row):
            if code >= 0:
                paths[code].append(_box(edges[start], place, edges[end]))
    colors = ramp_colors()
    return [(colors[code], "".join(path)) for code, path in sorted(paths.items())]


def _stretches(grid: Grid, place: int, edges: NDArray[np.int_]) -> Iterator[Stretch]:
    by_state: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for code, start, end in _runs(grid.states[place]):
        if code not in (State.PRESENT, State.UNMEASURED):
            by_state[code].append((start, end))
    y = TOP + place * ROW
    for code, runs in by_state.items():
        mark = MARKS[State(code)]
        where = [f"{grid.edges[start]:,.0f} to {grid.edges[end] - 1:,.0f}" for start, end in runs]
        more = f" and {len(where) - _TOLD} more" if len(where) > _TOLD else ""
        yield Stretch(
            mark,
            f"{visible(grid.labels[place])}: {mark.name} at steps {', '.join(where[:_TOLD])}{more}",
            "".join(_box(edges[start], place, edges[end]) for start, end in runs),
            [
                (float(edges[start] + 2), y + (ROW - _GAP - _GLYPH) / 2)
                for start, end in runs
                if edges[end] - edges[start] >= _GLYPH + 4
            ],
        )


def _runs(row: NDArray[np.integer[np.typing.NBitBase]]) -> Iterator[tuple[int, int, int]]:
    """Yield each run of equal cells: what they hold, its first and the one behind its last."""
    bounds = [0, *(np.flatnonzero(np.diff(row)) + 1).tolist(), len(row)]
    for start, end in pairwise(bounds):
        yield int(row[start]), start, end


def _box(left: int, place: int, right: int) -> str:
    return f"M{left} {TOP + place * ROW}h{right - left}v{ROW - _GAP}h{left - right}z"


def _parts(labels: Sequence[str]) -> list[int]:
    tops = [label.partition(".")[0] for label in labels]
    changes = [place for place in range(1, len(tops)) if tops[place] != tops[place - 1]]
    # Lines between single rows would be a second grid.
    return [TOP + place * ROW for place in changes] if len(changes) * 2 < len(tops) else []


def _caption(grid: Grid) -> str:
    columns = grid.states.shape[1]
    width = (grid.edges[-1] - grid.edges[0]) / columns
    steps = "each step" if width == 1 else f"{number(float(width))} steps"
    rows = "parameter" if max(grid.counts) == 1 else "module"
    return (
        f"A row is a {rows}, in model order; a column is {steps}, of "
        f"{count(grid.samples, 'sample')} in all: the largest norm, or the state where that "
        "is a trouble or somebody’s wish. A column without a sample is like the one before."
    )
