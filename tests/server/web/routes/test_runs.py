"""Runs and their parameters over REST."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable

import httpx
import pytest

from tests.support.columns import read_columns
from tests.support.probing import (
    ABSENT,
    FROZEN,
    NONFINITE,
    PRESENT,
    FakeProbe,
    hello,
)
from tests.support.serving import ServerProcess

NAN = math.nan


def test_runs_are_listed_newest_first(shared_server: ServerProcess) -> None:
    """`GET /api/runs` has the same row as `GET /api/runs/{run}`, the latest run at the top."""
    runs = ["1" * 16, "2" * 16]
    for run in runs:
        with FakeProbe(shared_server, hello(run)) as probe:
            probe.bye()
    listed = shared_server.get("/api/runs")["runs"]
    ids = [row["id"] for row in listed]
    assert ids.index(runs[1]) < ids.index(runs[0])
    assert shared_server.get(f"/api/runs/{runs[0]}")["id"] == runs[0]
    assert set(listed[0]) == set(shared_server.get(f"/api/runs/{runs[0]}"))


def test_parameters_before_the_first_sample(
    shared_server: ServerProcess, run: str, probe: FakeProbe
) -> None:
    """The table is there at once, every state `unmeasured`."""
    rows = shared_server.get(f"/api/runs/{run}/parameters")["parameters"]
    assert rows[0] == {
        "index": 0,
        "name": "encoder.weight",
        "names": ["encoder.weight", "decoder.weight"],
        "module": "encoder",
        "shape": [4, 2],
        "numel": 8,
        "dtype": "float32",
        "device": "cpu",
        "in_optimizer": True,
        "removed": False,
        "state": "unmeasured",
        "frozen": None,
        "grad_norm": None,
        "grad_max": None,
        "update_ratio": None,
        "weight_norm": None,
        "step": None,
        "gate": None,
        "cause": None,
    }
    assert [row["in_optimizer"] for row in rows] == [True, False, True]
    script = {
        "by": "script",
        "mode": "grad",
        "hold_stats": False,
        "since_step": None,
        "command": None,
        "limit": None,
    }
    assert [row["frozen"] for row in rows] == [None, None, script]


def test_parameters_have_their_latest_figures(
    shared_server: ServerProcess, run: str, probe: FakeProbe
) -> None:
    """States and norms are those of the last sample; `grad_max` is the last that was measured."""
    probe.sample(1, [1, 2, 3], grad_max=[0.5, 0.25, 0.125])
    probe.until_acked(1)
    probe.sample(2, [math.inf, NAN, NAN], [NONFINITE, ABSENT, FROZEN], step=20)
    probe.until_acked(2)
    rows = shared_server.get(f"/api/runs/{run}/parameters")["parameters"]
    assert [row["state"] for row in rows] == ["nonfinite", "absent", "frozen"]
    assert [row["grad_norm"] for row in rows] == [None, None, None]
    assert [row["grad_max"] for row in rows] == [0.5, 0.25, 0.125]
    assert {row["step"] for row in rows} == {20}


def test_parameters_in_columns_are_those_in_json(
    shared_server: ServerProcess, run: str, probe: FakeProbe
) -> None:
    """A client that reads columns gets the same rows; any other gets JSON."""
    item = {"command": 7, "by": "ada", "mode": "grad", "since_step": 12, "parameters": [1]}
    probe.send({"type": "frozen", "seq": 1, "frozen": [item]})
    probe.sample(2, [0.5, NAN, math.inf], [PRESENT, FROZEN, NONFINITE], grad_max=[0.25, 1, NAN])
    probe.until_acked(2)
    path = f"/api/runs/{run}/parameters"
    answer = shared_server.page(path, headers={"Accept": "application/vnd.gradgate.columns"})
    assert answer.headers["content-type"] == "application/vnd.gradgate.columns"
    assert "Accept" in answer.headers["vary"]
    columns = read_columns(answer.content)
    rows = shared_server.get(path)["parameters"]
    assert len(rows) == 3
    for place, row in enumerate(rows):
        found = {name: column[place] for name, column in columns.items()}
        assert found.pop("state") == [PRESENT, FROZEN, NONFINITE][place]
        figures = {
            name: found[name] if math.isfinite(found[name]) else None
            for name in ("grad_norm", "grad_max", "update_ratio", "weight_norm")
        }
        said = {"index": place, "name": found["names"][0], "state": row["state"]}
        assert {**found, **figures, **said} == row
    assert shared_server.page(path).headers["content-type"] == "application/json"
    assert "Accept" in shared_server.page(path).headers["vary"]


def test_parameters_say_who_froze_them(
    shared_server: ServerProcess, run: str, probe: FakeProbe
) -> None:
    """A command's freeze names the command; when it is lifted, nothing is blamed on the script."""
    item = {"command": 7, "by": "ada", "mode": "grad", "since_step": 12, "parameters": [0]}
    probe.send({"type": "frozen", "seq": 1, "frozen": [item]})
    probe.sample(2, [NAN, 1, NAN], [FROZEN, PRESENT, FROZEN])
    probe.until_acked(2)
    frozen = _frozen(shared_server, run)
    assert frozen[0] == {
        "by": "ada",
        "mode": "grad",
        "hold_stats": False,
        "since_step": 12,
        "command": 7,
        "limit": None,
    }
    assert frozen[1] is None
    assert frozen[2]["by"] == "script"
    probe.send({"type": "frozen", "seq": 3, "frozen": []})
    probe.until_acked(3)
    assert [item and item["by"] for item in _frozen(shared_server, run)] == [None, None, "script"]
    probe.sample(4, [1, NAN, NAN], [PRESENT, FROZEN, FROZEN])
    probe.until_acked(4)
    assert [item and item["by"] for item in _frozen(shared_server, run)] == [
        None,
        "script",
        "script",
    ]


def test_what_is_trainable_is_right_after_a_thaw_just_before_the_end(
    shared_server: ServerProcess, run: str, probe: FakeProbe
) -> None:
    """No sample comes any more; one that does is later than what was told before it."""
    probe.sample(1, [NAN, 1, NAN], [FROZEN, PRESENT, FROZEN])
    probe.until_acked(1)
    assert shared_server.get(f"/api/runs/{run}")["trainable"] == 1
    probe.sample(2, [NAN, 1, NAN], [FROZEN, PRESENT, FROZEN])
    probe.send({"type": "frozen", "seq": 3, "frozen": [], "trainable": 2})
    probe.until_acked(3)
    assert shared_server.get(f"/api/runs/{run}")["trainable"] == 2
    probe.send({"type": "frozen", "seq": 4, "frozen": []})
    probe.until_acked(4)
    assert shared_server.get(f"/api/runs/{run}")["trainable"] == 2
    probe.sample(5, [1, 1, 1], [PRESENT, PRESENT, PRESENT])
    probe.until_acked(5)
    assert shared_server.get(f"/api/runs/{run}")["trainable"] == 3


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/parameters",
        "/series?parameter=a",
        "/sparklines",
        "/metrics",
        "/commands",
        "/commands/1",
    ],
)
def test_an_unknown_run_is_a_404_that_says_what_to_do(
    shared_server: ServerProcess, path: str
) -> None:
    """Every route of a run that does not exist answers 404 with a sentence."""
    answer = httpx.get(f"{shared_server.url}/api/runs/nosuchrun{path}")
    assert answer.status_code == 404
    assert "no run 'nosuchrun'" in answer.json()["detail"]
    assert "/api/runs" in answer.json()["detail"]


def _frozen(server: ServerProcess, run: str) -> list[dict[str, object]]:
    rows = server.get(f"/api/runs/{run}/parameters")["parameters"]
    return [row["frozen"] for row in rows]


def test_runs_are_edited_and_listed_by_what_they_are(
    shared_server: ServerProcess, run: str, probe: FakeProbe
) -> None:
    """A tag finds it; once archived it is on no list that does not ask for archived ones."""
    path, tag = f"/api/runs/{run}", f"tag {run}"
    changes = {"name": f"name {run}", "tags": [tag, "b"], "notes": "kept", "archived": True}
    edited = shared_server.patch(path, changes)
    assert edited.status_code == 200
    assert {name: edited.json()[name] for name in changes} == {**changes, "tags": ["b", tag]}
    assert shared_server.get("/api/runs", tag=tag)["runs"] == []
    listed = shared_server.get("/api/runs", tag=[tag, "b"], archived=True)["runs"]
    assert [row["id"] for row in listed] == [run]
    assert shared_server.patch(path, {"archived": False}).json()["notes"] == "kept"
    assert len(shared_server.get("/api/runs", tag=tag)["runs"]) == 1


def test_an_edit_that_cannot_be_is_refused(
    shared_server: ServerProcess, run: str, probe: FakeProbe, new_name: Callable[[], str]
) -> None:
    """No change is a 422, an unknown run a 404, a name of two live runs a 409: each a sentence."""
    path, taken = f"/api/runs/{run}", new_name()
    with FakeProbe(shared_server, hello(secrets.token_hex(8), name=taken)):
        shared_server.patch(path, {"name": taken})
        refused = shared_server.patch(f"/api/runs/{taken}", {"notes": "x"})
    assert (refused.status_code, "Give one of" in refused.json()["detail"]) == (409, True)
    assert "nothing is changed" in shared_server.patch(path, {}).json()["detail"][0]["msg"]
    for answer in (
        shared_server.patch("/api/runs/nosuch", {"notes": "x"}),
        shared_server.delete("/api/runs/nosuch"),
    ):
        assert (answer.status_code, "no run 'nosuch'" in answer.json()["detail"]) == (404, True)
