"""Metrics as small charts."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from gradgate.server.export.report.charts import HEIGHT, LEFT, RIGHT, WIDTH, Chart, draw_metrics
from gradgate.server.export.selection import selection
from gradgate.server.protocol.probe_messages import Hello, Metrics
from gradgate.server.store.database import Store
from gradgate.server.store.recording import Received, record
from gradgate.server.store.runs import open_run
from tests.support.probing import hello

Draw = Callable[..., list[Chart]]


@pytest.fixture
def draw(tmp_path: Path, run: str) -> Iterator[Draw]:
    """Logs values of the metric `loss` at steps, and draws it."""
    store = Store(tmp_path)

    def drawn(values: Sequence[float | None], steps: Sequence[int]) -> list[Chart]:
        with store.write() as connection:
            open_run(connection, Hello.model_validate(hello(run)), 1.0)
            frames = [
                Metrics.model_validate(
                    {
                        "type": "metrics",
                        "seq": seq,
                        "step": step,
                        "time": 1.0,
                        "values": {"loss": v},
                    }
                )
                for seq, (step, v) in enumerate(zip(steps, values, strict=True), 1)
            ]
            record(connection, run, [Received(frame, 1.0) for frame in frames])
            chosen = selection(connection, run)
        return draw_metrics(store, chosen).charts

    yield drawn
    store.close()


def numbers(path: str) -> list[tuple[float, float]]:
    """The places of a path."""
    return [
        (float(x), float(y)) for x, y in (each.split() for each in re.split("[MLz]", path) if each)
    ]


def test_a_spike_is_in_the_band_however_many_values_there_are(draw: Draw) -> None:
    """The line has one place for many values, and the band reaches over all of them."""
    values = [1.0] * 5000
    values[1240] = 100.0
    (chart,) = draw(values, range(5000))
    line = numbers(chart.line)
    assert len(line) <= 320
    assert max(y for _, y in line) - min(y for _, y in line) < 1
    assert min(y for _, y in numbers(chart.band)) < HEIGHT / 4
    assert chart.latest == "1.00"
    assert chart.x(0) == LEFT
    assert chart.x(4999) == pytest.approx(WIDTH - RIGHT, abs=1)


def test_what_is_not_finite_is_a_gap(draw: Draw) -> None:
    """Lines end before it and begin behind it; one value between two is a point."""
    (chart,) = draw([1.0, 2.0, None, 3.0, math.inf, 4.0, 5.0], range(7))
    assert chart.line.count("M") == 3
    assert len(chart.points) == 1


def test_a_metric_without_any_number_says_so(draw: Draw) -> None:
    """It has no line."""
    (chart,) = draw([None, math.nan], [1, 2])
    assert (chart.line, chart.latest) == ("", "–")
    assert "2 values" in chart.title


def test_a_job_that_went_back_is_drawn_from_left_to_right(draw: Draw) -> None:
    """By the steps, whenever they were logged."""
    (chart,) = draw([1.0, 2.0, 3.0, 2.5], [0, 10, 20, 5])
    places = [x for x, _ in numbers(chart.line)]
    assert places == sorted(places)


@pytest.mark.parametrize("values", [[1.79e308], [1.7e308, -1.7e308], [1.79e308, 1.0]])
def test_the_greatest_numbers_are_drawn(draw: Draw, values: list[float]) -> None:
    """Though their differences are too large for a number."""
    (chart,) = draw(values, range(len(values)))
    places = numbers(chart.band)
    assert all(0 <= y <= HEIGHT for _, y in places)
    assert len(places) == 2 * len(values)
