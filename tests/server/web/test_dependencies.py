"""What routes ask for: a run as of now."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess
from tests.support.storing import blocked

ROUNDS = 8

READ: dict[str, Callable[[httpx.Response], Any]] = {
    "": lambda answer: answer.json()["sample_step"],
    "/parameters": lambda answer: answer.json()["parameters"][1]["step"],
    "/sparklines": lambda answer: answer.json()["steps"][-1],
    "/series?parameter=a.bias": lambda answer: answer.json()["steps"][-1],
    "/heatmap": lambda answer: answer.json()["last"][-1],
    "/export?format=csv&table=samples": lambda answer: int(
        [*csv.DictReader(io.StringIO(answer.text))][-1]["step"]
    ),
}
"""By path, how to read the step of the latest sample from the answer."""


@pytest.mark.parametrize("path", READ)
def test_what_has_come_is_in_the_answer(shared_server: ServerProcess, run: str, path: str) -> None:
    """A page is told only of what comes while it is there: the rest it must be able to load."""
    live = f"{shared_server.ws_url}/api/runs/{run}/live"
    with FakeProbe(shared_server, hello(run)) as probe, connect(live) as page:
        for step in range(1, ROUNDS + 1):
            probe.sample(step, [1.0, 2.0])
            while not isinstance(page.recv(20), bytes):
                pass
            answer = httpx.get(f"{shared_server.url}/api/runs/{run}{path}")
            assert READ[path](answer) == step


def test_what_was_logged_is_in_the_answer(shared_server: ServerProcess, run: str) -> None:
    """Metrics as well as samples."""
    live = f"{shared_server.ws_url}/api/runs/{run}/live"
    with FakeProbe(shared_server, hello(run)) as probe, connect(live) as page:
        for step in range(1, ROUNDS + 1):
            values = {"loss": float(step)}
            probe.send({"type": "metrics", "seq": step, "step": step, "time": 1, "values": values})
            while '"metrics"' not in str(page.recv(20)):
                pass
            loss = shared_server.get(f"/api/runs/{run}/metrics")["metrics"]["loss"]
            assert loss["values"][-1] == step


def test_a_store_that_takes_nothing_is_read_all_the_same(server: ServerProcess, run: str) -> None:
    """What it has, without what has come since."""
    live = f"{server.ws_url}/api/runs/{run}/live"
    with FakeProbe(server, hello(run)) as probe, connect(live) as page:
        probe.sample(1, [1.0, 2.0])
        probe.until_acked(1)
        while not isinstance(page.recv(20), bytes):
            pass
        with blocked(server.data):
            probe.sample(2, [3.0, 4.0])
            while not isinstance(page.recv(20), bytes):
                pass
            assert server.get(f"/api/runs/{run}/sparklines")["steps"] == [1]
