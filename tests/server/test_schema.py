"""The JSON Schema of the protocol, and what the server really sends."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from websockets.sync.client import connect

from gradgate.server.schema import protocol_schema, render
from tests.support.probing import FakeProbe, alert, explanation, gate, hello
from tests.support.serving import ServerProcess

GATE = {"kind": "gate", "site": "output:a", "when": "norm > 1", "action": "scale", "factor": 0.5}
EXPLAIN = {"kind": "explain", "target": "a.*"}
CHECKOUT = Path(__file__).parents[2]


def test_the_schema_in_docs_is_up_to_date() -> None:
    """`python -m gradgate.server.schema` would change nothing."""
    written = (CHECKOUT / "docs" / "protocol.schema.json").read_text(encoding="utf-8")
    assert written == render()


def test_answers_follow_the_schema(shared_server: ServerProcess, run: str) -> None:
    """Every route's answer and every frame to a probe is valid under its part of the schema."""
    path = f"/api/runs/{run}"
    with FakeProbe(shared_server, hello(run)) as probe:
        validate("server_to_probe", probe.welcome)
        probe.sample(1, [1, 2], grad_max=[1, 2])
        probe.until_acked(1)
        validate("server_to_probe", {"type": "ack", "seq": probe.acked})
        asked = shared_server.post(f"{path}/commands", {"kind": "freeze", "target": "a.*"}).json()
        validate("command", asked)
        validate("server_to_probe", probe.until_command(asked["id"]))
        probe.report(2, asked["id"], "applied", step=2, parameters=[0])
        with ThreadPoolExecutor(1) as thread:
            found = thread.submit(shared_server.get, f"{path}/preview", kind="freeze", target="a")
            question = probe.until_question()
            validate("server_to_probe", question)
            probe.answer(question)
            validate("preview", found.result(20))
            for number, body in enumerate((GATE, {"kind": "ungate", "gate": 1}, EXPLAIN), 2):
                validate("command_request", body)
                validate("command", shared_server.post(f"{path}/commands", body).json())
                validate("server_to_probe", probe.until_command(number))
            body = {"site": "param:a.weight", "when": "norm > 1"}
            validate("trial_request", body)
            tried = thread.submit(shared_server.post, f"{path}/trial", body)
            question = probe.until_question()
            validate("server_to_probe", question)
            probe.answer_trial(question)
            validate("trial", tried.result(20).json())
        probe.gates(3, gate())
        probe.explanations(4, 3, explanation(), explanation(None, "layers[0].weight", source=None))
        probe.alerts(5, alert())
        probe.until_acked(5)
    for part, route in [
        ("runs", "/api/runs"),
        ("run", path),
        ("parameters", f"{path}/parameters"),
        ("series", f"{path}/series?parameter=a.weight"),
        ("series", f"{path}/series?parameter=a.weight&parameter=a.bias"),
        ("sparklines", f"{path}/sparklines"),
        ("metrics", f"{path}/metrics"),
        ("metric_sparklines", f"/api/sparklines?run={run}"),
        ("commands", f"{path}/commands"),
        ("gates", f"{path}/gates"),
        ("explanations", f"{path}/explanations"),
        ("alerts", f"{path}/alerts"),
        ("health", "/healthz"),
    ]:
        validate(part, shared_server.page(route).json())


def test_live_frames_follow_the_schema(shared_server: ServerProcess, run: str) -> None:
    """What a browser is told as it opens a page is valid."""
    with FakeProbe(shared_server, hello(run)) as probe:
        probe.gates(1, gate())
        probe.alerts(2, alert())
        probe.until_acked(2)
        browser = connect(f"{shared_server.ws_url}/api/runs/{run}/live")
    with browser:
        frames = [json.loads(browser.recv(20)) for _ in range(6)]
    opening = ["run", "commands", "gates", "alerts", "optimizers", "events"]
    assert [frame["type"] for frame in frames] == opening
    for frame in frames:
        validate("server_to_browser", frame)


def test_the_schema_refuses_what_is_wrong() -> None:
    """The schema is not so loose that anything passes."""
    good = hello("0" * 16)
    validate("probe_to_server", good)
    with pytest.raises(jsonschema.ValidationError):
        validate("probe_to_server", {**good, "parameters": [{"names": ["a"]}]})
    with pytest.raises(jsonschema.ValidationError):
        validate("probe_to_server", {**good, "type": "nonsense"})


def validate(part: str, value: Any) -> None:
    """Hold a value against one property of the schema."""
    document = protocol_schema()
    schema = {**document["properties"][part], "$defs": document["$defs"]}
    jsonschema.validate(value, schema, jsonschema.Draft202012Validator)
