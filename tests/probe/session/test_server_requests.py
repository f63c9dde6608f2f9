"""What the server asks for: commands, previews, trials."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from torch.optim import SGD

from gradgate import probe
from gradgate.probe.link.frames import encode_json
from gradgate.probe.link.server_messages import ForeignMessage, parse_message
from gradgate.probe.link.uplink import Uplink
from gradgate.probe.session.run import job_of
from gradgate.server.live.ingest import decode_frame
from tests.support.steered import chain, one_step, plain, reports_of, steps

CHANGE = {"target": "head", "mode": "grad", "hold_stats": False, "reset_state": False}
GATE: dict[str, Any] = {
    "site": "param:stem.bias",
    "when": "norm > 1",
    "action": "block",
    "factor": None,
    "max_norm": None,
    "hold": 0,
    "paused": False,
    "limit": None,
}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is answered over the connection."""
    found: list[Any] = []
    monkeypatch.setattr(Uplink, "answer", lambda _, message: found.append(message))
    return found


def test_every_kind_of_command_is_queued(answers: list[Any]) -> None:
    """And rejected or done in its turn, also one that is not known."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        receive = job_of(run).requests.receive
        asked = {"type": "command", "by": "rest"}
        receive({**asked, "id": 1, "kind": "freeze", **CHANGE})
        receive({**asked, "id": 2, "kind": "gate", "site": "param:stem.bias", "gate": None})
        receive({**asked, "id": 3, "kind": "explain", "target": "*"})
        receive({**asked, "id": 4, "kind": "melt", "target": "*"})
        steps(model, optimizer, 1, 2)
    last = {report.command.id: report.state.value for report in reports}
    assert last == {1: "verified", 2: "verified", 3: "applied", 4: "rejected"}
    assert answers == []


def test_what_is_looked_at_is_told_with_the_next_sample(answers: list[Any]) -> None:
    """Until the server says that nobody looks any more."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        receive = job_of(run).requests.receive
        receive({"type": "focus", "parameters": [1], "seconds": 30})
        steps(model, optimizer, 1, 2)
        told = [(message["type"], message["parameters"][0]["parameter"]) for message in answers]
        assert set(told) == {("distributions", 1)}
        receive({"type": "focus", "parameters": [], "seconds": 30})
        answers.clear()
        steps(model, optimizer, 3, 4)
    assert answers == []


def test_a_sample_is_taken_for_whoever_begins_to_look(answers: list[Any]) -> None:
    """However rare samples are."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1000) as run:
        job_of(run).requests.receive({"type": "focus", "parameters": [1], "seconds": 30})
        steps(model, optimizer, 1, 2)
    assert [message["step"] for message in answers] == [2]


def test_a_preview_is_answered_by_what_it_asked(answers: list[Any]) -> None:
    """With what would be touched, or why not."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        receive = job_of(run).requests.receive
        receive({"type": "preview", "request": 5, "kind": "freeze", **CHANGE})
        receive({"type": "preview", "request": 6, "kind": "freeze", **CHANGE, "target": "haed"})
        seen, refused = answers
        assert (seen["type"], seen["request"], seen["refused"]) == ("preview", 5, None)
        assert seen["preview"] == run.preview("freeze", "head").as_message()
        assert (refused["request"], refused["preview"]) == (6, None)
        assert "did you mean 'head'" in refused["refused"]
        assert all(info.frozen is None for info in run.parameters())


def test_a_trial_is_answered_and_makes_no_gate(answers: list[Any]) -> None:
    """With the names that its condition may use now, those that were logged among them."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.log(loss=1.0)
        steps(model, optimizer, 1, 1)
        receive = job_of(run).requests.receive
        trial = {"type": "trial", "site": "param:stem.bias", "history": None}
        receive({**trial, "request": 7, "when": "loss > 1"})
        receive({**trial, "request": 8, "when": "loss >"})
        good, bad = answers
        assert (good["type"], good["request"], good["error"]) == ("trial", 7, None)
        assert "loss" in good["names"]
        assert bad["error"]["message"]
        assert run.gates() == []


@pytest.mark.parametrize(
    ("unreadable", "why"),
    [
        ({"hold": "soon"}, "this probe cannot read the fields of this gate (ValueError"),
        ({"factor": [1]}, "this probe cannot read the fields of this gate (TypeError"),
        ({"gate": "third"}, "this probe cannot read the fields of this gate (ValueError"),
        ({"history": {"values": {}}}, "gradgate failed inside (KeyError"),
    ],
)
def test_a_trial_that_cannot_be_read_is_answered(
    answers: list[Any], unreadable: dict[str, Any], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked waits for it."""
    monkeypatch.delenv("GRADGATE_STRICT", raising=False)
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False) as run:
        trial = {"type": "trial", "request": 9, "site": "param:stem.bias", **unreadable}
        job_of(run).requests.receive(trial)
    (answer,) = answers
    assert (answer["type"], answer["request"], answer["closed"]) == ("trial", 9, None)
    assert answer["error"]["message"].startswith(why)


FREEZE = {"type": "command", "id": 4, "kind": "freeze", "target": "head", "by": "rest"}


def test_a_command_that_comes_twice_is_applied_once() -> None:
    """After a reconnection the server sends what it does not know to be applied; we know."""
    model, optimizer = plain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        for _ in range(2):
            job_of(run).requests.receive(FREEZE)
            one_step(model, optimizer)
        job_of(run).requests.receive(FREEZE)
        one_step(model, optimizer)
    words = [report.state.value for report in reports]
    assert words == ["delivered", "applied", "verified"]


def test_a_command_of_an_unknown_kind_is_rejected_with_what_to_upgrade() -> None:
    """A newer server may ask for what this probe cannot do."""
    model, optimizer = plain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        job_of(run).requests.receive({**FREEZE, "kind": "melt"})
        one_step(model, optimizer)
        assert "upgrade gradgate in the training job" in reports[-1].reason


ASKED: list[dict[str, Any]] = [
    {"type": "command", "id": 1, "kind": "freeze", "target": "head.bias", "age": 0, "expires": 9},
    {"type": "command", "id": 1, "kind": "thaw", "target": "head", "as_of": 1},
    {"type": "command", "id": 1, "kind": "gate", **GATE, "gate": None},
    {"type": "command", "id": 1, "kind": "ungate", "gate": 1, "as_of": 1},
    {"type": "command", "id": 1, "kind": "explain", "target": "*"},
    {"type": "preview", "request": 1, "kind": "freeze", **CHANGE},
    {"type": "trial", "request": 1, **GATE, "history": {"steps": [1], "values": {"norm": [1.0]}}},
    {"type": "focus", "parameters": [0], "seconds": 1},
    {"type": "watched", "commands": [1]},
]
"""One message of each kind."""
LONG = "x" * 100_000
WILD: tuple[Any, ...] = (
    *(-7, 0, 2**53, 2**53 + 1, 10**400, 1.5, True, None, math.inf, math.nan, -1.0, 1e300),
    *("", "\0", "a\0b", LONG, LONG[:600], "9" * 512, "\ud800", "🙂" * 9000, [], {}, [1]),
)
"""What may stand in a field of what nobody should send."""


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (asked, field)
        for asked in ASKED
        for field in sorted({*asked, "by", "limit", "local", "reserved"})
    ],
    ids=lambda part: part if isinstance(part, str) else part.get("kind", part["type"]),
)
def test_whatever_is_asked_a_server_takes_what_is_told_of_it(
    asked: dict[str, Any], field: str, answers: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame that it does not take would end the connection for ever, and all else with it."""
    monkeypatch.setattr(Uplink, "_is_told", True)
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.log(**{"9" * 600: 1.0})
        for number, wild in enumerate(WILD, 2):
            message = {**asked, **({"id": number} if "id" in asked else {}), field: wild}
            with suppress(ForeignMessage):
                job_of(run).requests.receive(parse_message(json.dumps(message)))
            steps(model, optimizer, number, number)
        told = [entry.frame for entry in job_of(run).uplink.outbox.take()]
    assert len(told) > len(WILD)
    for frame in [*told, *map(encode_json, answers)]:
        decode_frame(frame)
