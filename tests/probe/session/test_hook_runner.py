"""The bodies of hooks on optimizers: guarded, and only in the process that was attached."""

from __future__ import annotations

import os
from typing import Any

import pytest

from gradgate.probe.base.errors import ExpectationError
from gradgate.probe.base.guard import Guard
from gradgate.probe.session.hook_runner import HookRunner
from gradgate.probe.session.run_state import RunState


class Expecting:
    """Alerts that have something to raise, or not."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure

    def raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def never(_: int) -> bool:
    """Say that somebody has to be told."""
    return False


def runner(failure: Exception | None = None) -> tuple[HookRunner, RunState, Guard]:
    state, guard = RunState(), Guard()
    alerts: Any = Expecting(failure)
    return HookRunner(state, alerts, guard), state, guard


def test_a_fault_is_counted_and_a_broken_expectation_is_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The one is the probe's own; the other was asked for."""
    monkeypatch.delenv("GRADGATE_STRICT")
    hooks, _, guard = runner(ExpectationError("head does not train"))
    with pytest.raises(ExpectationError, match="head does not train"):
        hooks.run(lambda: [][0])
    assert guard.faults == 1


def test_a_forked_child_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no thread that talks."""
    hooks, state, _ = runner()
    done: list[int] = []
    monkeypatch.setattr(os, "getpid", lambda: state.process + 1)
    hooks.run(lambda: done.append(1))
    assert done == []


def test_what_follows_in_a_step_does_not_ask_which_process_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the hook before it has asked: where that did nothing, it does nothing."""
    hooks, state, _ = runner()
    done: list[str] = []
    asked: list[int] = []
    process = state.process

    def getpid() -> int:
        asked.append(1)
        return process

    monkeypatch.setattr(os, "getpid", getpid)
    hooks.run(done.append, "begun")
    hooks.go_on_unless(never, lambda _: done.append("over"), 0)
    assert (done, len(asked)) == (["begun", "over"], 1)
    process += 1
    hooks.run(done.append, "a child's")
    hooks.go_on_unless(never, lambda _: done.append("a child's"), 0)
    assert done == ["begun", "over"]


def test_where_all_was_done_the_body_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may have done it is called first, and nobody asks for the process."""
    hooks, state, _ = runner()
    said: list[Any] = []
    process = state.process
    monkeypatch.setattr(os, "getpid", lambda: said.append("asked") or process)

    def passed(answer: bool) -> Any:
        return lambda k: said.append(("passed", k)) or answer

    hooks.run_unless(passed(True), said.append, 3)
    hooks.go_on_unless(passed(True), said.append, 4)
    assert said == [("passed", 3), ("passed", 4)]
    said.clear()
    hooks.run_unless(passed(False), said.append, 5)
    hooks.go_on_unless(passed(False), said.append, 6)
    assert said == [("passed", 5), "asked", 5, ("passed", 6), 6]


def test_a_child_that_was_forked_while_nobody_looked_does_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The hook before it had nothing to do, and did not ask which process it is."""
    hooks, state, _ = runner()
    done: list[int] = []
    hooks.run(done.append, 0)
    monkeypatch.setattr(os, "getpid", lambda: state.process + 1)
    hooks.run_unless(lambda _: True, done.append, 1)
    hooks.go_on_unless(lambda _: False, done.append, 2)
    assert done == [0]
