"""Series, sparklines and metrics over REST."""

from __future__ import annotations

import math

import httpx
import numpy as np
import pytest

from tests.support.columns import read_columns
from tests.support.probing import (
    ABSENT,
    FROZEN,
    PRESENT,
    ZERO,
    FakeProbe,
    hello,
    table_row,
)
from tests.support.serving import ServerProcess

NAN = math.nan


def test_series_between_two_steps(shared_server: ServerProcess, run: str, probe: FakeProbe) -> None:
    """`from` and `to` are both included, over commits and within them."""
    for seq in range(1, 31):
        probe.sample(seq, [seq, 1, 1], step=seq * 2)
        if seq % 7 == 0:
            probe.until_acked(seq)
    probe.until_acked(30)
    path = f"/api/runs/{run}/series"
    query = {"parameter": "encoder.weight", "from": 9, "to": 20}
    part = shared_server.get(path, **query)
    assert part["steps"] == [10, 12, 14, 16, 18, 20]
    assert part["values"] == [5, 6, 7, 8, 9, 10]
    assert part["samples"] == 6
    whole = shared_server.get(path, parameter="encoder.weight", points=4)
    assert (whole["steps"][-1], whole["samples"], len(whole["steps"])) == (60, 30, 4)
    assert (whole["min"][0], whole["max"][-1]) == (1, 30)


def test_series_of_several_parameters_and_of_grad_max(
    shared_server: ServerProcess, run: str, probe: FakeProbe
) -> None:
    """Several parameters come as a list; a sample that did not take a statistic is no gap in it."""
    probe.sample(1, [1, 2, 3])
    probe.sample(2, [4, 5, 6], grad_max=[7, 8, 9])
    probe.until_acked(2)
    path = f"/api/runs/{run}/series"
    found = shared_server.get(path, parameter=["head.weight", "encoder.bias"])["series"]
    assert [(row["parameter"], row["values"]) for row in found] == [
        ("head.weight", [3, 6]),
        ("encoder.bias", [2, 5]),
    ]
    largest = shared_server.get(path, parameter="head.weight", stat="grad_max")
    assert (largest["stat"], largest["steps"], largest["values"]) == ("grad_max", [2], [9])


def test_a_series_of_movement_has_the_samples_that_took_it(
    shared_server: ServerProcess, run: str, probe: FakeProbe
) -> None:
    """Others took that of other parameters, which is no gap."""
    nan = float("nan")
    for step, ratios in enumerate([[0.5, nan, nan], [nan, 1, nan], [0.25, nan, nan]], 1):
        probe.sample(step, [1, 2, 3], update_ratio=ratios)
    probe.until_acked(3)
    path = f"/api/runs/{run}/series"
    found = shared_server.get(path, parameter="encoder.weight", stat="update_ratio")
    assert (found["steps"], found["values"], found["samples"]) == ([1, 3], [0.5, 0.25], 2)
    rows = shared_server.get(f"/api/runs/{run}/parameters")["parameters"]
    assert [row["update_ratio"] for row in rows] == [0.25, 1, None]


def test_a_series_without_samples_is_empty(
    shared_server: ServerProcess, run: str, probe: FakeProbe
) -> None:
    """Before the first sample there are no buckets."""
    found = shared_server.get(f"/api/runs/{run}/series", parameter="head.weight")
    assert (found["steps"], found["values"], found["samples"]) == ([], [], 0)


def test_an_unknown_parameter_is_named_with_its_neighbours(
    shared_server: ServerProcess, run: str, probe: FakeProbe
) -> None:
    """A misspelt name is a 404 that proposes names that exist."""
    answer = httpx.get(f"{shared_server.url}/api/runs/{run}/series?parameter=encoder.wieght")
    assert answer.status_code == 404
    assert "did you mean 'encoder.weight'" in answer.json()["detail"]


def test_an_unknown_parameter_among_several_has_an_error_in_its_place(
    shared_server: ServerProcess, run: str, probe: FakeProbe
) -> None:
    """The others are answered all the same, in the order in which they were asked for."""
    probe.sample(1, [1, 2, 3])
    probe.until_acked(1)
    names = ["head.weight", "encoder.wieght", "encoder.bias", "head.weight"]
    found = shared_server.get(f"/api/runs/{run}/series", parameter=names)["series"]
    assert [row["parameter"] for row in found] == names
    assert [row.get("values") for row in found] == [[3], None, [2], [3]]
    assert "did you mean 'encoder.weight'" in found[1]["error"]


def test_series_of_parameters_in_several_blocks(shared_server: ServerProcess, run: str) -> None:
    """Each name has its own history, also where the table grew between two commits."""
    names = [f"p{place}" for place in range(300)]
    with FakeProbe(shared_server, hello(run, names[:130])) as probe:
        probe.sample(1, list(range(130)))
        probe.until_acked(1)
        table = [table_row(name) for name in names]
        probe.send({"type": "parameters", "seq": 2, "parameters": table})
        probe.sample(3, [1000 + place for place in range(300)])
        probe.until_acked(3)
    asked = ["p299", "p0", "p128", "p129", "p130", "p5"]
    found = shared_server.get(f"/api/runs/{run}/series", parameter=asked)["series"]
    assert {row["parameter"]: row["values"] for row in found} == {
        "p299": [None, 1299],
        "p0": [0, 1000],
        "p128": [128, 1128],
        "p129": [129, 1129],
        "p130": [None, 1130],
        "p5": [5, 1005],
    }


def test_sparklines_in_columns_are_those_in_json(
    shared_server: ServerProcess, run: str, probe: FakeProbe
) -> None:
    """Sample by sample, norms to 1.6 % and states as codes."""
    probe.sample(1, [1, NAN, 3], [PRESENT, ABSENT, FROZEN])
    probe.sample(2, [0, 1234.5, 3], [ZERO, PRESENT, PRESENT])
    probe.until_acked(2)
    path = f"/api/runs/{run}/sparklines"
    answer = shared_server.page(path, headers={"Accept": "application/vnd.gradgate.columns"})
    columns = read_columns(answer.content)
    listed = shared_server.get(path)
    assert columns["steps"] == listed["steps"] == [1, 2]
    by_sample = np.array(listed["rows"], np.float64).T
    assert columns["states"] == np.array(listed["states"]).T.ravel().tolist()
    for found, norm in zip(columns["grad_norm"], by_sample.ravel(), strict=True):
        assert (math.isnan(norm) and math.isnan(found)) or found == pytest.approx(norm, rel=1 / 64)


def test_sparklines_are_the_last_samples_in_table_order(
    shared_server: ServerProcess, run: str, probe: FakeProbe
) -> None:
    """The last `points` samples of every parameter, also over several commits."""
    assert shared_server.get(f"/api/runs/{run}/sparklines") == {
        "steps": [],
        "rows": [[], [], []],
        "states": [[], [], []],
    }
    for seq in range(1, 11):
        probe.sample(seq, [seq, NAN, seq / 8], [ZERO if seq == 8 else PRESENT, ABSENT, FROZEN])
        probe.until_acked(seq) if seq in (4, 7) else None
    probe.until_acked(10)
    assert shared_server.get(f"/api/runs/{run}/sparklines", points=5) == {
        "steps": [6, 7, 8, 9, 10],
        "rows": [[6, 7, 8, 9, 10], [None] * 5, [0.75, 0.875, 1, 1.125, 1.25]],
        "states": [[1, 1, 2, 1, 1], [4] * 5, [6] * 5],
    }
    assert len(shared_server.get(f"/api/runs/{run}/sparklines")["steps"]) == 10


def test_metrics_keep_their_order_and_their_gaps(
    shared_server: ServerProcess, run: str, probe: FakeProbe
) -> None:
    """Each metric has the steps at which it was logged, and says what was not finite."""
    frames: list[dict[str, object]] = [
        {"values": {"loss": 2.0}},
        {"values": {"loss": None, "lr": 0.1}, "nonfinite": {"loss": "-inf"}},
        {"values": {"loss": NAN}},
    ]
    for seq, frame in enumerate(frames, 1):
        probe.send({"type": "metrics", "seq": seq, "step": seq * 5, "time": 1.0, **frame})
    probe.until_acked(3)
    answer = shared_server.get(f"/api/runs/{run}/metrics")
    assert answer["names"] == ["loss", "lr"]
    assert answer["metrics"]["loss"] == {
        "first_steps": [5, 10, 15],
        "steps": [5, 10, 15],
        "values": [2.0, None, None],
        "min": [2.0, None, None],
        "max": [2.0, None, None],
        "count": [1, 1, 1],
        "nan": [0, 0, 1],
        "posinf": [0, 0, 0],
        "neginf": [0, 1, 0],
    }
    assert answer["metrics"]["lr"]["values"] == [0.1]


@pytest.fixture
def logged(shared_server: ServerProcess, run: str, probe: FakeProbe) -> str:
    """The metrics of a run with 5,000 losses, of which one is far from the others."""
    for seq in range(1, 5001):
        values = {"loss": 900.0 if seq == 77 else 1.0, "lr": seq}
        probe.send({"type": "metrics", "seq": seq, "step": seq, "time": 1.0, "values": values})
    probe.until_acked(5000)
    return f"/api/runs/{run}/metrics"


def test_no_spike_of_a_metric_is_lost(shared_server: ServerProcess, logged: str) -> None:
    """In as many points as are asked for, of the whole run or a range, of all metrics or some."""
    whole = shared_server.get(logged, points=10)["metrics"]
    assert (max(whole["loss"]["max"]), sum(whole["loss"]["count"])) == (900.0, 5000)
    assert whole["lr"]["values"] == list(range(500, 5001, 500))
    query = {"from": 70, "to": 80, "name": "loss"}
    part = shared_server.get(logged, **query)
    assert (list(part["metrics"]), part["names"]) == (["loss"], ["loss", "lr"])
    assert part["metrics"]["loss"]["steps"] == list(range(70, 81))
    assert part["metrics"]["loss"]["values"][7] == 900.0


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("from=9&to=3", 422, "give `from=3` and `to=9`"),
        ("from=9000", 422, "Nothing was logged"),
        ("points=10001", 422, "less than or equal to 10000"),
        ("name=los", 404, "did you mean 'loss'?"),
    ],
)
def test_metrics_that_cannot_be_answered(
    shared_server: ServerProcess, logged: str, query: str, status: int, said: str
) -> None:
    """Each is refused with a sentence."""
    answer = shared_server.page(f"{logged}?{query}")
    assert (answer.status_code, said in answer.text) == (status, True), answer.text


@pytest.mark.parametrize(
    "query", ["", "parameter=a&stat=nosuch", "parameter=a&points=0", "parameter=a&from=-1"]
)
def test_a_wrong_query_is_a_422(shared_server: ServerProcess, run: str, query: str) -> None:
    """A query that cannot be meant is refused in FastAPI's own shape."""
    answer = httpx.get(f"{shared_server.url}/api/runs/{run}/series?{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["msg"]


def test_times_of_samples_are_even_and_grow(
    shared_server: ServerProcess, run: str, probe: FakeProbe
) -> None:
    """With the first and the last of the range; what a resumed job took again counts as it came."""
    steps = [*range(1, 31), *range(21, 41)]
    for seq, step in enumerate(steps, start=1):
        probe.sample(seq, [1, 1, 1], step=step, at=1000.0 + seq)
        if seq % 7 == 0:
            probe.until_acked(seq)
    probe.until_acked(len(steps))
    path = f"/api/runs/{run}/times"
    whole = shared_server.get(path)
    assert whole["steps"] == list(range(1, 41))
    assert whole["times"][19:21] == [1020.0, 1031.0]
    part = shared_server.get(path, points=2, **{"from": 3, "to": 18})
    assert (part["steps"][0], part["steps"][-1]) == (3, 18)
    assert len(part["steps"]) < 16
    assert shared_server.get(path, **{"from": 99}) == {"steps": [], "times": []}
    assert shared_server.page(f"{path}?from=3&to=1").status_code == 422


def test_times_of_a_clock_that_was_set_back_are_all_told(
    shared_server: ServerProcess, run: str, probe: FakeProbe
) -> None:
    """As they are: a step is left out only where a resumed job took it or an earlier one again."""
    times = [1000.0, 1010.0, 400.0, 410.0, 420.0]
    for step, at in enumerate(times, start=1):
        probe.sample(step, [1, 1, 1], step=step, at=at)
    probe.until_acked(len(times))
    path = f"/api/runs/{run}/times"
    assert shared_server.get(path) == {"steps": [1, 2, 3, 4, 5], "times": times}
