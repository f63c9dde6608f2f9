"""The real probe and the real server on modes, previews, drifts and savings."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from threading import Event
from typing import Any

import jsonschema
import pytest
import torch
from torch import nn
from websockets.sync.client import connect

from gradgate import probe
from gradgate.probe.session.run import job_of
from gradgate.probe.steer.preview import Preview as ProbePreview
from gradgate.probe.steer.savings import Saved as ProbeSaved
from gradgate.server.protocol import effects
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_until

SCHEMA = json.loads(
    Path(__file__).parents[2].joinpath("docs", "protocol.schema.json").read_text("utf-8")
)
STATES = ("requested", "delivered", "applied", "verified")
WITHIN = 30


class Model(nn.Module):
    """A stem, a normalised body and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(4, 8)
        self.body = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU())
        self.head = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(self.stem(x)))  # type: ignore[no-any-return]


@contextmanager
def training(server: ServerProcess, model: nn.Module) -> Iterator[probe.Run]:
    """A model that trains in a thread of its own."""
    over = Event()
    attached: list[probe.Run] = []

    def train() -> None:
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        with probe.attach(model, optimizer, server=server.url, every=1) as run:
            attached.append(run)
            while not over.is_set():
                optimizer.zero_grad()
                model(torch.randn(16, 4)).square().mean().backward()
                optimizer.step()
                over.wait(0.005)

    with ThreadPoolExecutor(1) as threads:
        trained = threads.submit(train)
        try:
            wait_until(lambda: attached or trained.done(), bool)
            run = attached[0]
            wait_until(lambda: known(server, run.id), bool)
            yield run
        finally:
            over.set()
            trained.result(WITHIN)


def known(server: ServerProcess, run: str) -> bool:
    """Whether a run has a first sample."""
    return any(row["id"] == run and row["samples"] for row in server.get("/api/runs")["runs"])


def until(server: ServerProcess, run: str, number: int, state: str) -> dict[str, Any]:
    """A command, once it is in a state."""
    path = f"/api/runs/{run}/commands/{number}"
    return wait_until(lambda: server.get(path), lambda row: row["state"] == state)


@pytest.mark.parametrize(
    ("ours", "theirs"), [(ProbePreview, effects.Preview), (ProbeSaved, effects.Saved)]
)
def test_both_sides_have_the_same_fields(ours: Any, theirs: Any) -> None:
    """A preview and a saving are the same to the probe and to the server."""
    assert [field.name for field in fields(ours)] == list(theirs.model_fields)


def test_a_preview_is_the_jobs_own(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over REST comes what Python answers, whichever kind and mode is asked about."""
    monkeypatch.setenv("GRADGATE_STRICT", "1")
    with training(server, Model()) as run:
        path = f"/api/runs/{run.id}/preview"
        found = server.get(path, kind="freeze", target="body", hold_stats="true")
        assert found == run.preview("freeze", "body", hold_stats=True).as_message()
        assert (found["count"], found["running_stats"]) == (4, [])
        cut = server.get(path, kind="freeze", target="body", mode="no_grad")
        assert sorted(cut["cut_off"]) == ["stem.bias", "stem.weight"]
        thaw = server.get(path, kind="thaw", target="head", reset_state="true")
        assert (thaw["kind"], thaw["already"], thaw["reset_state"]) == ("thaw", 2, True)
        refused = server.page(path, params={"kind": "freeze", "target": "boddy"})
        assert refused.status_code == 409
        assert "'body'" in refused.json()["detail"]


def test_a_freeze_with_every_option_is_verified_and_says_what_it_saved(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The options reach the job, which tells of them and, later, of the saving."""
    monkeypatch.setenv("GRADGATE_STRICT", "1")
    model = Model()
    with training(server, model) as run:
        asked = {"kind": "freeze", "target": "stem", "mode": "no_grad", "hold_stats": True}
        number = server.post(f"/api/runs/{run.id}/commands", asked).json()["id"]
        row = until(server, run.id, number, "verified")
        assert tuple(row["times"]) == STATES
        parameters = server.get(f"/api/runs/{run.id}/parameters")["parameters"]
        frozen = {each["name"]: each["frozen"] for each in parameters if each["frozen"]}
        assert list(frozen) == ["stem.weight", "stem.bias"]
        assert frozen["stem.bias"]["mode"] == "no_grad"
        assert frozen["stem.bias"]["hold_stats"] is True
        path = f"/api/runs/{run.id}/commands/{number}"
        saved = wait_until(lambda: server.get(path)["saved"], bool)
        assert saved["gradient_bytes"] == 4 * (4 * 8 + 8)
        assert saved["memory_before"] is None


def test_a_freeze_and_a_gate_with_a_limit_undo_themselves(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log has who did it and for what, and all that shows them says how long they last."""
    monkeypatch.setenv("GRADGATE_STRICT", "1")
    limit = {"steps": 40, "seconds": None, "while_watched": False}
    with training(server, Model()) as run:
        path = f"/api/runs/{run.id}/commands"
        freeze = {"kind": "freeze", "target": "head", "limit": {"steps": 40}}
        gate = {"kind": "gate", "site": "param:stem.weight", "limit": {"steps": 40}}
        numbers = [server.post(path, each).json()["id"] for each in (freeze, gate)]
        for number in numbers:
            wait_until(
                lambda number=number: server.get(f"{path}/{number}"), lambda row: row["step"]
            )
            assert server.get(f"{path}/{number}")["limit"] == limit

        def undone() -> list[dict[str, Any]]:
            rows = server.get(path)["commands"]
            return [row for row in rows if row["by"].startswith("limit of command")]

        rows = wait_until(
            undone, lambda rows: len(rows) == 2 and all(r["state"] == "verified" for r in rows)
        )
        assert {(row["kind"], row["target"]) for row in rows} == {
            ("thaw", "head"),
            ("ungate", "gate 1"),
        }
        began = {number: server.get(f"{path}/{number}")["step"] for number in numbers}
        for row in rows:
            number = int(row["by"].removeprefix("limit of command "))
            assert row["step"] == began[number] + 40


def test_what_is_frozen_and_gated_says_how_long(server: ServerProcess) -> None:
    """In the rows of parameters and of gates."""
    limit = {"steps": None, "seconds": 3600.0, "while_watched": False}
    with training(server, Model()) as run:
        run.freeze("head.bias", for_seconds=3600)
        run.gate("param:stem.weight", for_seconds=3600)
        path = f"/api/runs/{run.id}"
        gates = wait_until(lambda: server.get(f"{path}/gates")["gates"], bool)
        assert gates[0]["limit"] == limit
        rows = server.get(f"{path}/parameters")["parameters"]
        assert [row["frozen"]["limit"] for row in rows if row["frozen"]] == [limit]


def test_a_drift_names_who_moved_it(server: ServerProcess) -> None:
    """A write to a frozen parameter is found and blamed, also after it was verified."""
    model = Model()
    with training(server, model) as run:
        asked = {"kind": "freeze", "target": "head.bias"}
        number = server.post(f"/api/runs/{run.id}/commands", asked).json()["id"]
        until(server, run.id, number, "verified")
        with torch.no_grad():
            model.head.bias.add_(1.0)
        row = until(server, run.id, number, "drifted")
    assert tuple(row["times"]) == (*STATES, "drifted")
    assert "head.bias" in row["reason"]


def test_a_model_that_grows_and_loses_a_parameter(server: ServerProcess) -> None:
    """The server's table follows the job's, and no history shifts."""
    model = Model()
    with training(server, model) as run:
        path = f"/api/runs/{run.id}"
        model.head = nn.Linear(8, 2)
        rows = wait_until(
            lambda: server.get(f"{path}/parameters")["parameters"], lambda rows: len(rows) == 10
        )
        names = [row["name"] for row in rows]
        assert names[:4] == ["stem.weight", "stem.bias", "body.0.weight", "body.0.bias"]
        assert [row["removed"] for row in rows] == [False] * 6 + [True] * 2 + [False] * 2
        assert names[6].startswith("head.weight (")
        assert names[8:] == ["head.weight", "head.bias"]
        wait_until(
            lambda: server.get(f"{path}/series", parameter="head.weight")["states"][-1],
            lambda state: state == "present",
        )
        assert server.get(path)["parameters"] == 8


def test_a_page_that_looks_at_a_parameter_sees_its_distributions(server: ServerProcess) -> None:
    """Of the job's own numbers, as the published schema has them; the job looks away after it."""
    model = Model()
    with training(server, model) as run:
        focus = job_of(run).measurement.focus
        with connect(f"{server.ws_url}/api/runs/{run.id}/live") as page:
            page.send(json.dumps({"type": "watch", "topics": ["distributions"], "focus": [0, 1]}))
            told = (json.loads(page.recv(WITHIN)) for _ in range(100))
            message = next(each for each in told if each["type"] == "distributions")
            assert focus.watched == (0, 1)
        jsonschema.validate(
            message, {**SCHEMA["properties"]["server_to_browser"], "$defs": SCHEMA["$defs"]}
        )
        weight, bias = message["parameters"]
        for found, shape in ((weight, (8, 4)), (bias, (8,))):
            for of in ("gradient", "weight"):
                assert found[of]["numel"] == math.prod(shape)
        assert len(weight["gradient"]["rows"]["norms"]) == 8
        assert bias["weight"]["rows"] is None
        wait_until(lambda: focus.watched, lambda watched: watched == ())
