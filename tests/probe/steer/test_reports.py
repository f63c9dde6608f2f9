"""Reports of commands, and the sentence of a fault."""

from __future__ import annotations

import pytest

from gradgate.probe.base.guard import Guard
from gradgate.probe.model.commands import CommandState, FreezeCommand, Report
from gradgate.probe.steer.reports import LONGEST_FAULT, Reports, fault_sentence

COMMAND = FreezeCommand("a", by="rest", id=1)


def broken(report: Report) -> None:
    raise AttributeError("no sink")


def test_every_listener_hears_of_every_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that fails takes no other along, and the fault is counted."""
    monkeypatch.delenv("GRADGATE_STRICT")
    guard = Guard()
    reports = Reports(guard)
    told: list[Report] = []
    for listener in (broken, told.append):
        reports.add_listener(listener)
    reports.reject(COMMAND, "no", 4)
    reports.supersede(COMMAND, "later", 5)
    assert [(r.command, r.state, r.reason, r.step) for r in told] == [
        (COMMAND, CommandState.REJECTED, "no", 4),
        (COMMAND, CommandState.SUPERSEDED, "later", 5),
    ]
    assert guard.faults == 2


def test_a_fault_is_named_in_a_sentence_that_the_wire_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Type, message and where there is more; no NUL, and not longer than a text may be."""
    monkeypatch.delenv("GRADGATE_STRICT")
    guard = Guard()
    with guard.attempt() as attempt:
        raise AttributeError("no\0 such thing")
    assert fault_sentence(attempt) == (
        "gradgate failed inside (AttributeError: no such thing); see the job's log"
    )
    with guard.attempt() as attempt:
        raise ValueError("x" * 100_000)
    assert len(fault_sentence(attempt)) < LONGEST_FAULT + 40
