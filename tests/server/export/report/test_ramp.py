"""The scale of norms, and that states and colours are those of the page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from gradgate.server.export.report.marks import MARKS
from gradgate.server.export.report.ramp import CIVIDIS, LEVELS, decade_domain, levels, ramp_colors

STATIC = Path(__file__).parents[4] / "static" / "model"


def test_the_ramp_is_that_of_the_page() -> None:
    """From its dark end to its light one."""
    table = re.search(
        r"CIVIDIS = Object.freeze\((\[.*?\])\);", (STATIC / "norm_scale.js").read_text(), re.S
    )
    assert table is not None
    assert [tuple(row) for row in json.loads(re.sub(r",\s*\]", "]", table[1]))] == list(CIVIDIS)
    colors = ramp_colors()
    assert (len(colors), colors[0], colors[-1]) == (LEVELS, "#00204c", "#f3e337")


def test_the_marks_of_states_are_those_of_the_page() -> None:
    """Name, meaning, glyph and standing of each, worst first."""
    script = (STATIC / "states.js").read_text("utf-8")
    entries = re.findall(
        r'name: "(\w+)",\s+meaning: "(.*?)",\s+path: "(.*?)",\s+filled: (\w+),.*?'
        r'standing: "(\w+)",\s+severity: (\d)',
        script,
        re.S,
    )
    there = sorted(entries, key=lambda entry: int(entry[5]))
    assert [entry[:5] for entry in there] == [
        (
            mark.name,
            mark.meaning,
            mark.path,
            str(mark.filled).lower(),
            next(entry[4] for entry in there if entry[0] == mark.name),
        )
        for mark in MARKS.values()
    ]
    assert {mark.name for mark in MARKS.values() if mark.trouble} == {
        entry[0] for entry in there if entry[4] == "trouble"
    }


@pytest.mark.parametrize(
    ("norms", "domain"),
    [
        ([0.02, 3], (-2, 1)),
        ([0.01, 1], (-2, 0)),
        ([1], (-1, 1)),
        ([0, np.nan], (-4, 0)),
        ([1e-30, *[0.5] * 300, 1e30], (-2, 0)),
    ],
)
def test_the_domain_is_of_whole_decades(norms: list[float], domain: tuple[int, int]) -> None:
    """Two at least, and a few outliers do not stretch it."""
    assert decade_domain(np.array(norms, np.float32)) == domain


def test_norms_have_levels_and_what_is_none_has_not() -> None:
    """Those beyond the domain have the level of its end."""
    norms = np.array([1e-9, 1e-2, 0.1, 1, 1e9, 0, np.nan], np.float32)
    assert levels(norms, (-2, 0)).tolist() == [0, 0, LEVELS // 2, LEVELS - 1, LEVELS - 1, -1, -1]
