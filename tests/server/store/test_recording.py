"""What a batch of frames changes in the store, and what of it pages are told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Connection

from gradgate.server.protocol.frames import decode
from gradgate.server.protocol.probe_messages import STREAMED
from gradgate.server.protocol.runs import RunStatus
from gradgate.server.store.ledger import command_row
from gradgate.server.store.recording import Changes, Received, record
from gradgate.server.store.runs import run_row
from tests.support.probing import FROZEN, PRESENT, explanation, gate, pack_sample, table_row


def frames(*messages: dict[str, Any] | bytes) -> list[Received]:
    """Frames that arrived one second after the other."""
    read: list[Any] = [
        decode(each) if isinstance(each, bytes) else STREAMED.validate_json(json.dumps(each))
        for each in messages
    ]
    return [Received(frame, 100.0 + place) for place, frame in enumerate(read)]


def changes_of(connection: Connection, run: str, *messages: dict[str, Any] | bytes) -> Changes:
    """Record one batch."""
    return record(connection, run, frames(*messages))


@pytest.mark.parametrize(
    ("message", "topics"),
    [
        (
            {"type": "parameters", "parameters": [table_row("a.weight"), table_row("a.bias")]},
            {"parameters": set()},
        ),
        ({"type": "frozen", "frozen": []}, {"parameters": set()}),
        ({"type": "gates", "gates": [gate(1)]}, {"gates": set(), "events": {1}}),
        (
            {"type": "explanations", "step": 3, "seconds": 0.1, "explanations": [explanation()]},
            {"explanations": set()},
        ),
        ({"type": "alerts", "alerts": []}, {"alerts": set()}),
        ({"type": "metrics", "step": 1, "time": 1.0, "values": {"loss": 1.0}}, {}),
        (
            {
                "type": "report",
                "local": 1,
                "state": "applied",
                "time": 1.0,
                "kind": "freeze",
                "target": "a",
            },
            {"commands": {1}, "events": {1}},
        ),
    ],
    ids=lambda value: value.get("type") if isinstance(value, dict) else None,
)
def test_each_frame_is_told_of_as_its_topic(
    connection: Connection, opened: str, message: dict[str, Any], topics: dict[str, set[int]]
) -> None:
    """By name, with the ids of what changed; the sequence number counts as stored."""
    changes = changes_of(connection, opened, {**message, "seq": 7})
    assert (changes.topics, changes.last_seq) == (topics, 7)


def test_a_batch_is_one_change(connection: Connection, opened: str) -> None:
    """Its commands together, and the highest sequence number, whatever came last."""
    report = {"type": "report", "state": "applied", "time": 1.0, "kind": "thaw", "target": "a"}
    changes = changes_of(
        connection,
        opened,
        {**report, "seq": 1, "local": 1},
        {**report, "seq": 2, "local": 2},
        {"type": "heartbeat", "time": 1.0, "step": 9},
    )
    assert (changes.topics, changes.last_seq) == ({"commands": {1, 2}, "events": {1, 2}}, 2)
    row = run_row(connection, opened)
    assert (row.step, row.last_seen) == (9, 102.0)


def test_samples_fill_the_row_of_a_run(connection: Connection, opened: str) -> None:
    """How many there are, when and where the latest was, and the states in it."""
    changes_of(
        connection,
        opened,
        pack_sample(1, 10, [PRESENT, PRESENT], {1: [1, 1]}),
        pack_sample(2, 11, [PRESENT, FROZEN], {1: [1, 1]}),
    )
    row = run_row(connection, opened)
    assert (row.samples, row.step, row.sample_step, row.sample_time) == (2, 11, 11, 101.0)
    assert (row.states, row.trainable) == ({"present": 1, "frozen": 1}, 1)
    changes_of(connection, opened, pack_sample(3, 12, [PRESENT, PRESENT], {1: [1, 1]}))
    assert run_row(connection, opened).samples == 3


def test_a_step_never_goes_back(connection: Connection, opened: str) -> None:
    """A report may tell of an earlier step than the sample before it."""
    report = {"type": "report", "state": "applied", "time": 1.0, "kind": "thaw", "target": "a"}
    changes_of(
        connection,
        opened,
        pack_sample(1, 10, [PRESENT, PRESENT], {1: [1, 1]}),
        {**report, "seq": 2, "local": 1, "step": 4},
    )
    assert run_row(connection, opened).step == 10


def test_an_older_traced_step_is_no_news(connection: Connection, opened: str) -> None:
    """It changes nothing, so nobody is told."""
    traced = {"type": "explanations", "seconds": 0.1, "explanations": []}
    assert changes_of(connection, opened, {**traced, "seq": 1, "step": 5}).topics
    assert not changes_of(connection, opened, {**traced, "seq": 2, "step": 4}).topics


def test_bye_rejects_what_was_not_applied(connection: Connection, opened: str) -> None:
    """The run is finished, and each command that waited is told of."""
    report = {"type": "report", "time": 1.0, "kind": "thaw", "target": "a"}
    changes = changes_of(
        connection,
        opened,
        {**report, "seq": 1, "local": 1, "state": "delivered"},
        {**report, "seq": 2, "local": 2, "state": "applied"},
        {"type": "bye", "time": 1.0, "step": 3},
    )
    assert changes.topics == {"commands": {1, 2}, "events": {1, 2, 3}}
    assert run_row(connection, opened).status is RunStatus.FINISHED
    rejected = command_row(connection, opened, 1)
    assert (rejected.state, rejected.times["rejected"]) == ("rejected", 102.0)
    assert "finished before" in str(rejected.reason)
    assert command_row(connection, opened, 2).state == "applied"
