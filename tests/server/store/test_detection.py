"""Events are stored with what they were found in, exactly once, whatever is rolled back."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Connection

from gradgate.server.events.thresholds import Thresholds
from gradgate.server.protocol.events import EventRow
from gradgate.server.protocol.frames import decode
from gradgate.server.protocol.probe_messages import STREAMED, Hello
from gradgate.server.store.database import Store
from gradgate.server.store.detection import KEPT_EVERY, Detection
from gradgate.server.store.events import event_rows
from gradgate.server.store.recording import Changes, Received, record
from gradgate.server.store.runs import open_run
from tests.support.probing import ABSENT, PRESENT, ZERO, gate, hello, pack_sample


@pytest.fixture
def detection() -> Detection:
    """The detectors of a server."""
    return Detection()


@pytest.fixture
def stored(store: Store, run: str) -> str:
    """A run of two parameters."""
    with store.write() as connection:
        open_run(connection, Hello.model_validate(hello(run)), 1.0)
    return run


def samples(first: int, count: int, spikes: dict[int, float] | None = None) -> list[Any]:
    """Frames of samples, of which some have another norm; seq and step are the same."""
    return [
        decode(
            pack_sample(
                seq, seq, [PRESENT, PRESENT], {1: [1.0, (spikes or {}).get(seq, 1.0)]}, at=seq * 0.1
            )
        )
        for seq in range(first, first + count)
    ]


def recorded(
    connection: Connection, run: str, frames: list[Any], detection: Detection | None
) -> Changes:
    """Record one batch."""
    return record(connection, run, [Received(frame, 100.0) for frame in frames], detection)


def events(store: Store, run: str) -> list[EventRow]:
    """All events, oldest first."""
    with store.read() as connection:
        return event_rows(connection, run, limit=1000)[::-1]


def test_one_spike_among_two_hundred_thousand_steps_is_an_event(
    store: Store, stored: str, detection: Detection
) -> None:
    """One at a sampled step with its parameter, one between samples by the total norm."""
    every, batch = 100, list[Any]()
    for number, sample in enumerate(samples(1, 2000, {1500: 1000.0})):
        object.__setattr__(sample, "step", sample.step * every)
        object.__setattr__(sample, "seq", number * 2 + 1)
        first = number * every + 1
        message = {
            "type": "totals",
            "seq": number * 2 + 2,
            "time": 1.0,
            "steps": list(range(first, first + every)),
            "norms": [500.0 if step == 77_777 else 1.4 for step in range(first, first + every)],
            "flags": [0] * every,
        }
        batch += [sample, STREAMED.validate_json(json.dumps(message))]
        if len(batch) == 400:
            with store.write() as connection:
                recorded(connection, stored, batch, detection)
            batch = []
    found = sorted((row.step, row.kind, row.parameters) for row in events(store, stored))
    assert found == [(77_777, "spike", []), (150_000, "spike", ["a.bias"])]


def test_what_is_rolled_back_is_found_again(
    store: Store, stored: str, detection: Detection
) -> None:
    """The detectors are as of what is stored, not of what was tried."""

    def record_and_fail() -> None:
        with store.write() as connection:
            recorded(connection, stored, samples(21, 5, {22: 1000.0}), detection)
            raise OSError("The disk is full.")

    with store.write() as connection:
        recorded(connection, stored, samples(1, 20), detection)
    for _ in range(3):
        with pytest.raises(OSError, match="full"):
            record_and_fail()
    with store.write() as connection:
        changes = recorded(connection, stored, samples(21, 5, {22: 1000.0}), detection)
    assert (changes.events, changes.topics) == ([1], {"events": {1}})
    assert [(row.step, row.kind) for row in events(store, stored)] == [(22, "spike")]


def test_a_restart_finds_nothing_twice(store: Store, stored: str) -> None:
    """Whatever comes after each batch is told by detectors that know of the batches before."""
    absent = [PRESENT, ABSENT]
    frames = samples(1, 40, {30: 1000.0})
    frames += [decode(pack_sample(seq, seq, absent, {1: [1.0, 0]}, at=4)) for seq in range(41, 61)]
    for start in range(0, 60, 7):
        with store.write() as connection:
            recorded(connection, stored, frames[start : start + 7], None)
    assert [(row.step, row.kind) for row in events(store, stored)] == [
        (30, "spike"),
        (41, "absent"),
    ]


def test_a_run_that_goes_on_without_a_past_begins_quietly(
    store: Store, stored: str, detection: Detection
) -> None:
    """As in a store of an earlier version: what was so already is no event, what changes is."""
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE runs SET samples = 5")
        frames = [
            decode(pack_sample(seq, seq, [PRESENT, state], {1: [1.0, 0]}))
            for seq, state in enumerate([ABSENT, ABSENT, PRESENT], 1)
        ]
        assert not recorded(connection, stored, frames, detection).events
        frames = [decode(pack_sample(9, 9, [ABSENT, PRESENT], {1: [0, 1.0]}))]
        assert recorded(connection, stored, frames, detection).events == [1]


def test_a_flood_is_added_to_the_latest_event(store: Store, stored: str) -> None:
    """Ten of a kind within a minute are told one by one, and after it again, restart or not."""
    seq = 0
    for batch in range(8):
        frames = []
        for _ in range(5):
            seq += 1
            shut = gate(closed=bool(seq % 2), closed_steps=seq)
            message = {"type": "gates", "seq": seq, "gates": [shut]}
            frames.append(STREAMED.validate_json(json.dumps(message)))
        at = 100.0 + batch + (60 if batch == 7 else 0)
        with store.write() as connection:
            record(connection, stored, [Received(each, at) for each in frames], None)
    rows = events(store, stored)
    assert [row.figures.get("more", 0) for row in rows] == [0] * 9 + [25] + [0] * 5
    assert "And 25 more like it up to step 0." in rows[9].sentence


def test_the_detectors_are_kept_now_and_then(store: Store, stored: str) -> None:
    """Often in a young run, and then after so many samples though nothing happens."""
    detection = Detection(Thresholds(dead_after=3))
    kept = []
    for start in range(1, 2 * KEPT_EVERY, 64):
        with store.write() as connection:
            recorded(connection, stored, samples(start, 64), detection)
            state = connection.exec_driver_sql("SELECT state FROM watches").scalar_one()
        kept.append(bytes(state))
    changed = [place for place, (one, other) in enumerate(pairwise(kept), 2) if one != other]
    assert changed == [2, 4, 8, 16]


def test_a_detector_that_fails_is_asked_no_more(
    store: Store, stored: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged once, the others go on, and what arrived is stored."""
    detection = Detection(Thresholds(dead_after=3))

    def fail(*_: object) -> None:
        raise ZeroDivisionError("no such norm")

    monkeypatch.setattr("gradgate.server.events.spike.Spike.find", fail)
    zeros = [decode(pack_sample(seq, seq, [PRESENT, ZERO], {1: [1.0, 0]})) for seq in range(1, 6)]
    with store.write() as connection:
        recorded(connection, stored, zeros, detection)
    assert [row.kind for row in events(store, stored)] == ["dead"]
    assert [entry.getMessage() for entry in caplog.records] == [
        f"Events of kind spike of run {stored} are found no more"
    ]
