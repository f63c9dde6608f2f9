"""A heat map as a drawing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from gradgate.server.export.report.heatmap import ROW, TOP, WIDTH, Drawing, draw
from gradgate.server.protocol.states import State
from gradgate.server.store.heatmaps.heatmap import Heatmap
from gradgate.server.store.heatmaps.rollup import Group

NAN = float("nan")


def drawn(
    first_steps: Sequence[int], values: Sequence[Sequence[float]], states: Sequence[Sequence[int]]
) -> Drawing:
    """The drawing of parameters `top.0`, `top.1` and so on; the last column is of one step."""
    groups = [Group(f"top.{place}", [place]) for place in range(len(values))]
    last_steps = [*(step - 1 for step in first_steps[1:]), first_steps[-1]]
    return draw(
        Heatmap(
            groups,
            np.array(first_steps),
            np.array(last_steps),
            np.array(values, np.float32),
            np.array(states, np.uint8),
        )
    )


def boxes(path: str) -> list[tuple[int, ...]]:
    """The left end, the top and the width of each box of a path."""
    return [tuple(map(int, each)) for each in re.findall(r"M(\d+) (\d+)h(\d+)", path)]


def test_norms_have_colours_and_states_have_patterns() -> None:
    """Neighbours that look alike are one box, and a state says where it was."""
    found = drawn(
        [0, 10, 20, 30],
        [[1, 1, NAN, 0.01], [NAN, NAN, NAN, NAN]],
        [[1, 1, State.ABSENT, 1], [0, 0, State.FROZEN, State.FROZEN]],
    )
    (low, high) = found.colors
    assert (low[0], high[0]) == ("#00204c", "#f3e337")
    (wide,) = boxes(high[1])
    assert wide[:2] == (found.left, TOP)
    absent, frozen = found.stretches
    assert (absent.mark.name, absent.title) == ("absent", "top.0: absent at steps 20 to 29")
    assert boxes(absent.path)[0][0] == found.left + wide[2]
    assert boxes(frozen.path) == [(*boxes(absent.path)[0][:1], TOP + ROW, frozen_width(found))]
    assert [row.latest for row in found.rows] == ["0.0100", "frozen"]


def frozen_width(found: Drawing) -> int:
    """The width from the third column to the end."""
    return int(found.columns.edges[-1] - found.columns.edges[2])


def test_columns_are_as_wide_as_their_steps_and_none_is_lost() -> None:
    """One of a single step among thousands has some pixels, and steps are found in their order."""
    found = drawn([0, 5000, 5001, 10_000], [[1, 1, 1, 1]], [[1, State.NONFINITE, 1, 1]])
    edges = found.columns.edges
    assert (edges[0], edges[-1]) == (found.left, found.left + WIDTH)
    assert all(right - left >= 2 for left, right in pairwise(edges))
    assert edges[1] == found.columns.place(5000)
    assert abs(found.columns.place(2500) - (found.left + WIDTH / 4)) < 3
    assert found.columns.place(-5) == found.left
    assert found.columns.place(99_999) == found.left + WIDTH
    assert [tick.text for tick in found.ticks] == [
        "0",
        "2,000",
        "4,000",
        "6,000",
        "8,000",
        "10,000",
    ]


def test_a_job_that_went_back_is_drawn_in_its_own_order() -> None:
    """Steps that it did again come behind those that it did before."""
    found = drawn([0, 100, 40, 140], [[1, 1, 1, 1]], [[1, 1, 1, 1]])
    assert (np.diff(found.columns.edges) > 0).all()
    assert found.columns.starts.tolist() == [0, 100, 100, 140]
    assert found.columns.place(99) < found.columns.place(120) < found.columns.place(140)
