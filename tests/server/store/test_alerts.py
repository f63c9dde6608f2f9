"""What ought to train and does not, from the job to the REST API and to browsers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.support.probing import FakeProbe, alert, hello
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_until


def alerts(server: ServerProcess, run: str) -> Any:
    """The alerts of a run."""
    return server.get(f"/api/runs/{run}/alerts")["alerts"]


def test_alerts_are_the_absolute_state(shared_server: ServerProcess, run: str) -> None:
    """Each frame replaces the last, in its order; the run's row counts them, but for notes."""
    unexplained = alert(1, "a.bias", cause=None, detail=None)
    with FakeProbe(shared_server, hello(run, expect=["a.*", "head"])) as probe:
        row = shared_server.get(f"/api/runs/{run}")
        assert (row["expect"], row["alerts"]) == (["a.*", "head"], 0)
        assert alerts(shared_server, run) == []
        probe.alerts(1, unexplained, alert())
        probe.until_acked(1)
        assert alerts(shared_server, run) == [unexplained, alert()]
        assert shared_server.get(f"/api/runs/{run}")["alerts"] == 2
        probe.alerts(2, alert())
        probe.until_acked(2)
        assert alerts(shared_server, run) == [alert()]
        whole, note = alert(None, None, where="t.py:7"), alert(level="note")
        probe.alerts(3, whole, note)
        probe.until_acked(3)
        assert alerts(shared_server, run) == [whole, note]
        assert shared_server.get(f"/api/runs/{run}")["alerts"] == 1
        probe.alerts(4)
        probe.until_acked(4)
    assert alerts(shared_server, run) == []
    rows = {row["id"]: row["alerts"] for row in shared_server.get("/api/runs")["runs"]}
    assert rows[run] == 0


def test_nothing_is_expected_by_default(shared_server: ServerProcess, run: str) -> None:
    """A probe that says nothing of it expects nothing; one that is back may expect more."""
    with FakeProbe(shared_server, hello(run)):
        assert shared_server.get(f"/api/runs/{run}")["expect"] == []
    with FakeProbe(shared_server, hello(run, expect=["a.*"])):
        assert shared_server.get(f"/api/runs/{run}")["expect"] == ["a.*"]


def test_what_is_acknowledged_outlives_a_crash(server: ServerProcess, run: str) -> None:
    """And a frame that comes again, with the number that it had, changes nothing."""
    with FakeProbe(server, hello(run, expect=["a.*"])) as probe:
        probe.alerts(1, alert())
        probe.until_acked(1)
    server.kill()
    server.restart()
    assert alerts(server, run) == [alert()]
    row = server.get(f"/api/runs/{run}")
    assert (row["expect"], row["alerts"]) == (["a.*"], 1)
    with FakeProbe(server, hello(run, expect=["a.*"])) as probe:
        probe.alerts(1)
        probe.gates(2)
        probe.until_acked(2)
    assert alerts(server, run) == [alert()]
    assert server.get(f"/api/runs/{run}")["alerts"] == 1


def test_of_very_many_the_first_are_listed(shared_server: ServerProcess, run: str) -> None:
    """2,000 are; the count is of all."""
    names = [f"p{place}" for place in range(5000)]
    with FakeProbe(shared_server, hello(run, names)) as probe:
        probe.alerts(1, *[alert(place, name) for place, name in enumerate(names)])
        probe.until_acked(1)
    assert shared_server.get(f"/api/runs/{run}")["alerts"] == 5000
    assert [each["name"] for each in alerts(shared_server, run)] == names[:2000]


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ([alert(2)], "Index 2 is outside the parameter table of 2 rows"),
        ([alert(others=[1, 2])], "Index 2 is outside the parameter table of 2 rows"),
        ([alert(cause="bad luck")], "alerts.0.cause: Input should be 'frozen_by_script'"),
        ([alert(since_step=-1)], "alerts.0.since_step: Input should be greater"),
        ([alert(level="shout")], "alerts.0.level: Input should be 'alert' or 'note'"),
        ([alert(name="x" * 577)], "alerts.0.name: String should have at most 576"),
    ],
)
def test_a_wrong_frame_of_alerts_ends_the_connection(
    shared_server: ServerProcess,
    run: str,
    told: list[dict[str, Any]],
    sentence: str,
) -> None:
    """And what was told before stays."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.alerts(1, alert(1, "a.bias"))
        probe.until_acked(1)
        probe.alerts(2, *told)
        code, last = probe.until_closed()
    assert code == 1008
    assert last is not None
    assert sentence in last["message"]
    assert alerts(shared_server, run) == [alert(1, "a.bias")]


def test_too_much_may_not_be_expected(shared_server: ServerProcess, run: str) -> None:
    """A `hello` has at most 1,000 patterns."""
    with FakeProbe(shared_server, hello(run, expect=["a"] * 1001)) as probe:
        code, last = probe.until_closed()
    assert code == 1008
    assert last is not None
    assert "expect: List should have at most 1000 items" in last["message"]


def test_browsers_are_told_of_alerts(shared_server: ServerProcess, run: str) -> None:
    """At connect, and again with each change, in the rows of the REST API."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.alerts(1, alert())
        probe.until_acked(1)
        with connect(f"{shared_server.ws_url}/api/runs/{run}/live") as browser:
            told: list[Any] = []

            def latest() -> list[Any]:
                message = json.loads(browser.recv(20))
                if message["type"] == "alerts":
                    told.append(message["alerts"])
                return told

            wait_until(latest, bool)
            assert told == [[alert()]]
            probe.alerts(2)
            assert wait_until(latest, lambda told: len(told) == 2)[-1] == []


def test_unknown_runs_have_no_alerts(shared_server: ServerProcess) -> None:
    """A 404 with a sentence, not an empty list."""
    answer = shared_server.page("/api/runs/nosuchrun/alerts")
    assert answer.status_code == 404
    assert "no run 'nosuchrun'" in answer.json()["detail"]
