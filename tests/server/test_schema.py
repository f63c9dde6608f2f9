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
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess

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
        probe.until_acked(2)
    for part, route in [
        ("runs", "/api/runs"),
        ("run", path),
        ("parameters", f"{path}/parameters"),
        ("series", f"{path}/series?parameter=a.weight"),
        ("series", f"{path}/series?parameter=a.weight&parameter=a.bias"),
        ("sparklines", f"{path}/sparklines"),
        ("metrics", f"{path}/metrics"),
        ("commands", f"{path}/commands"),
        ("health", "/healthz"),
    ]:
        validate(part, shared_server.page(route).json())


def test_live_frames_follow_the_schema(shared_server: ServerProcess, run: str) -> None:
    """What a browser is told at connect is valid, and is the run's row and its commands."""
    with (
        FakeProbe(shared_server, hello(run)),
        connect(f"{shared_server.ws_url}/api/runs/{run}/live") as browser,
    ):
        frames = [json.loads(browser.recv(20)) for _ in range(2)]
    assert [frame["type"] for frame in frames] == ["run", "commands"]
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
