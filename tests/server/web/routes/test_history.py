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
    """Several parameters come as a list, and a statistic that was not measured is null."""
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
    assert (largest["stat"], largest["values"]) == ("grad_max", [None, 9])


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
    """Each metric has the steps at which it was logged; what is not finite is null."""
    for seq, values in enumerate([{"loss": 2.0}, {"loss": None, "lr": 0.1}, {"loss": NAN}], 1):
        probe.send({"type": "metrics", "seq": seq, "step": seq * 5, "time": 1.0, "values": values})
    probe.until_acked(3)
    assert shared_server.get(f"/api/runs/{run}/metrics")["metrics"] == {
        "loss": {"steps": [5, 10, 15], "values": [2.0, None, None]},
        "lr": {"steps": [10], "values": [0.1]},
    }


def test_metrics_are_cut_to_the_latest(
    shared_server: ServerProcess, run: str, probe: FakeProbe
) -> None:
    """A metric that was logged more than 2,000 times has its latest 2,000 values."""
    for seq in range(1, 2011):
        values = {"loss": float(seq)}
        probe.send({"type": "metrics", "seq": seq, "step": seq, "time": 1.0, "values": values})
    probe.until_acked(2010)
    loss = shared_server.get(f"/api/runs/{run}/metrics")["metrics"]["loss"]
    assert loss["steps"] == list(range(11, 2011))


@pytest.mark.parametrize(
    "query", ["", "parameter=a&stat=nosuch", "parameter=a&points=0", "parameter=a&from=-1"]
)
def test_a_wrong_query_is_a_422(shared_server: ServerProcess, run: str, query: str) -> None:
    """A query that cannot be meant is refused in FastAPI's own shape."""
    answer = httpx.get(f"{shared_server.url}/api/runs/{run}/series?{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["msg"]
