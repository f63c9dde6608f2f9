"""The real probe and the real server on missing gradients and on what ought to train."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from threading import Event
from typing import Any, get_args

import jsonschema
import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from gradgate import probe
from gradgate.probe.base.source import Snippet
from gradgate.probe.diagnosis.causes import WORDS
from gradgate.probe.diagnosis.explanation import Explanation as ProbeExplanation
from gradgate.probe.diagnosis.explanation import Station
from gradgate.probe.live.alerts import Alert as ProbeAlert
from gradgate.probe.model.commands import read_command
from gradgate.probe.session.run import job_of
from gradgate.server.protocol import alerts, explanations
from gradgate.server.protocol import fields as server_fields
from gradgate.server.protocol.commands.explain import ExplainCommand
from gradgate.server.protocol.probe_messages import FromProbe
from tests.support.commanding import Terminal
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_until

SCHEMA = json.loads(
    Path(__file__).parents[2].joinpath("docs", "protocol.schema.json").read_text("utf-8")
)
pytestmark = pytest.mark.usefixtures("in_memory_alone")
NOBODY = "http://127.0.0.1:9"
"""The discard port: no server answers there, so the outbox keeps every frame."""
WITHIN = 30


class Model(nn.Module):
    """A stem that is cut off, a body that is never called, and a head that trains."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(4, 8)
        self.body = nn.Linear(8, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.stem(x)
        h = h.detach()  # the cut
        return self.head(h)  # type: ignore[no-any-return]


def cut() -> int:
    """The number of the line that cuts the stem off."""
    lines = Path(__file__).read_text("utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.endswith("# the cut"))


@contextmanager
def training(server: str, *, source: bool = True) -> Iterator[probe.Run]:
    """A model that trains in a thread of its own, of which stem and head are expected to."""
    over = Event()
    attached: list[probe.Run] = []
    model = Model()

    def train() -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        expect = probe.expect(trains=["stem", "head"], frozen_stats=[], share=(0.5, 1))
        options: dict[str, Any] = {"every": 1, "expect": expect, "source": source}
        with probe.attach(model, optimizer, server=server, **options) as run:
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
            yield attached[0]
        finally:
            over.set()
            trained.result(WITHIN)


def frames(run: probe.Run) -> list[dict[str, Any]]:
    """The JSON frames that wait to be sent."""
    waiting = [entry.frame for entry in job_of(run).uplink.outbox.take()]
    return [json.loads(frame) for frame in waiting if isinstance(frame, str)]


def test_both_sides_have_the_same_words() -> None:
    """The causes, and the fields of an explanation, its stations and source, and of an alert."""
    assert get_args(server_fields.Cause) == WORDS
    for ours, theirs in (
        (Station, explanations.Station),
        (Snippet, explanations.Snippet),
    ):
        assert [field.name for field in fields(ours)] == list(theirs.model_fields)
    told = [field.name for field in fields(ProbeExplanation)]
    assert ["parameter", "name", *told] == list(explanations.Explanation.model_fields)
    alert = ProbeAlert(0, "a", 1).as_message()
    assert list(alert) == list(alerts.Alert.model_fields)


@pytest.mark.parametrize("source", [True, False])
def test_lines_of_the_script_leave_the_job_only_if_they_may(source: bool) -> None:
    """No frame has one with `source=False`; the file, the line's number and the calls are told."""
    with training(NOBODY, source=source) as run:
        run.explain("*")
        told = wait_until(
            lambda: [each for each in frames(run) if each["type"] == "explanations"], bool
        )
        alerted = wait_until(
            lambda: [each for each in frames(run) if each["type"] == "alerts"], bool
        )
        sent = [*frames(run), *told, *alerted, job_of(run).uplink.hello()]
        here = run.explanations()["stem.weight"].source
    stem = next(each for each in told[0]["explanations"] if each["name"] == "stem.weight")
    assert ("# the cut" in json.dumps(sent)) == source
    assert (stem["source"] is not None) == source
    assert f"{Path(__file__).name}:{cut()}" in stem["where"]
    assert "detach" in stem["detail"]
    assert here is not None  # which stays in the job


def test_no_field_is_lost_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real explanations, alerts and expectations are what models and published schema take."""
    monkeypatch.setenv("GRADGATE_STRICT", "1")
    with training(NOBODY) as run:
        wait_until(lambda: run.explanations() and run.alerts() and run.alerts()[0].cause, bool)
        run.explain("stem")
        sent = wait_until(
            lambda: [*frames(run), job_of(run).uplink.hello()],
            lambda sent: any(
                (each.get("kind"), each.get("state")) == ("explain", "applied") for each in sent
            ),
        )
    schema = {**SCHEMA["properties"]["probe_to_server"], "$defs": SCHEMA["$defs"]}
    adapter: TypeAdapter[Any] = TypeAdapter(FromProbe)
    kinds = set()
    for frame in sent:
        kinds.add(frame["type"])
        if frame["type"] in ("explanations", "alerts", "hello"):
            jsonschema.validate(frame, schema)
        held = json.loads(adapter.validate_json(json.dumps(frame)).model_dump_json())
        assert {key: held.get(key, "lost") for key in frame} == frame
    assert {"explanations", "alerts", "hello"} <= kinds


def test_the_probe_reads_an_explain() -> None:
    """A command of the server's model becomes the probe's command."""
    sent = ExplainCommand(id=7, kind="explain", target="encoder.*", by="browser")
    read = read_command(json.loads(sent.model_dump_json()))
    assert (read.kind, read.target, read.by, read.id) == ("explain", "encoder.*", "browser", 7)
    read.check()


def test_a_live_job_says_why(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked over REST and from the terminal: the cause, the line, and who asked; and the alerts."""
    monkeypatch.setenv("GRADGATE_STRICT", "1")
    with training(server.url) as run:
        path = f"/api/runs/{run.id}"
        wait_until(lambda: server.page(path).status_code, lambda status: status == 200)
        # First the job looks by itself; then not again for long, so the last answer is to the ask.
        told = wait_until(
            lambda: server.get(f"{path}/alerts")["alerts"],
            lambda alerts: alerts and alerts[0]["cause"],
        )
        asked = server.post(f"{path}/commands", {"kind": "explain"}).json()
        command = wait_until(
            lambda: server.get(f"{path}/commands/{asked['id']}"),
            lambda row: row["state"] == "applied",
        )
        assert command["parameters"] == ["stem.weight", "stem.bias", "body.weight", "body.bias"]
        answer = server.get(f"{path}/explanations")
        assert (answer["step"], answer["by"]) == (command["step"], "command")
        assert answer["command"] == asked["id"]
        causes = {each["name"]: each["cause"] for each in answer["explanations"]}
        assert causes == {
            "stem.weight": "detached",
            "stem.bias": "detached",
            "body.weight": "module_not_called",
            "body.bias": "module_not_called",
        }
        source = answer["explanations"][0]["source"]
        assert source["line"] == cut()
        assert source["lines"][source["line"] - source["first"]].endswith("# the cut")
        rows = server.get(f"{path}/parameters")["parameters"]
        assert {row["name"]: row["cause"] for row in rows if row["cause"]} == causes
        terminal = Terminal().run("explain", run.id, "stem", "--server", server.url)
        assert terminal.exit_code == 0, terminal.stderr
        assert f"stem.weight, stem.bias: detached at {source['file']}:{cut()}" in terminal.stdout
        assert "body" not in terminal.stdout
        assert [(each["name"], each["cause"]) for each in told] == [
            ("stem.weight", "detached"),
            ("stem.bias", "detached"),
        ]
        row = server.get(path)
        assert (row["expect"], row["alerts"]) == (["stem", "head"], 2)
        assert row["restraints"] == {"frozen": [], "frozen_stats": [], "share": [0.5, 1]}
        assert Terminal().run("alerts", run.id, "--server", server.url).exit_code == 1
