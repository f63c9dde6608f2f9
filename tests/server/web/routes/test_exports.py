"""Exports over REST: what is refused, and how files are named."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess


@pytest.fixture
def sampled(shared_server: ServerProcess, run: str) -> str:
    """A run with samples of steps 10 and 20."""
    with FakeProbe(shared_server, hello(run, ["encoder.weight", "head.bias"])) as probe:
        probe.sample(1, [1, 2], step=10)
        probe.sample(2, [3, 4], step=20)
        probe.until_acked(2)
    return run


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ({"from": 20, "to": 10}, 422, "reversed: give `from=10` and `to=20`"),
        ({"from": 21}, 422, "Nothing is known from step 21 on: the samples of run"),
        ({"to": 9}, 422, "are of steps 10 to 20"),
        ({"match": "encoder.wieght"}, 404, "did you mean 'encoder.weight'?"),
        ({"match": "zzz"}, 404, "'zzz' means no parameter of run"),
    ],
)
def test_what_means_nothing_is_refused_in_words(
    shared_server: ServerProcess, sampled: str, query: dict[str, Any], status: int, sentence: str
) -> None:
    """Before anything is sent."""
    asked = {"format": "csv", **query}
    answer = shared_server.page(f"/api/runs/{sampled}/export", params=asked)
    assert answer.status_code == status
    assert sentence in answer.json()["detail"]


def test_an_unknown_run_and_a_range_before_the_first_sample_are_refused(
    shared_server: ServerProcess, run: str
) -> None:
    """Each with its own sentence."""
    path = f"/api/runs/{run}/export"
    unknown = shared_server.page(path, params={"format": "csv"})
    assert (unknown.status_code, "There is no run" in unknown.text) == (404, True)
    with FakeProbe(shared_server, hello(run)):
        early = shared_server.page(path, params={"format": "csv", "from": 1})
    assert (early.status_code, "has no sample yet" in early.text) == (422, True)


@pytest.mark.parametrize(
    "query", [{}, {"format": "xlsx"}, {"format": "csv", "table": "a"}, {"format": "csv", "to": -1}]
)
def test_a_wrong_query_is_a_422(
    shared_server: ServerProcess, sampled: str, query: dict[str, Any]
) -> None:
    """A query that cannot be meant is refused in FastAPI's own shape."""
    answer = shared_server.page(f"/api/runs/{sampled}/export", params=query)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["msg"]


@pytest.mark.parametrize(
    ("query", "media", "ending"),
    [
        ({"format": "csv", "table": "metrics"}, "text/csv", "metrics.csv"),
        ({"format": "parquet", "table": "run"}, "application/vnd.apache.parquet", "run.parquet"),
        ({"format": "csv"}, "application/zip", "csv.zip"),
    ],
)
def test_a_file_comes_as_a_download(
    shared_server: ServerProcess, sampled: str, query: dict[str, str], media: str, ending: str
) -> None:
    """With its type and a name of its own."""
    answer = shared_server.page(f"/api/runs/{sampled}/export", params=query)
    assert answer.headers["content-type"].partition(";")[0] == media
    named = f'attachment; filename="gradgate-{sampled}-{ending}"'
    assert answer.headers["content-disposition"] == named
