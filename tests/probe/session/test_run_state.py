"""Where a run is in its steps."""

from __future__ import annotations

import os
import threading

import pytest

from gradgate.probe.session.run_state import RunState


def test_what_happens_in_a_step_belongs_to_the_step_that_has_not_ended() -> None:
    """And what happens before its forward belongs to the one that has."""
    state = RunState()
    assert (state.coming_step(), state.at_boundary()) == (0, True)
    state.between = False
    assert (state.coming_step(), state.at_boundary()) == (1, False)
    state.begin_boundary(late=False)
    assert (state.step, state.coming_step(), state.at_boundary()) == (1, 1, True)
    state.begin_boundary(late=True)
    assert (state.step, state.coming_step(), state.at_boundary()) == (2, 3, False)


def test_only_the_thread_that_trains_is_at_a_boundary() -> None:
    """It is the one in which the latest step ended."""
    state = RunState()
    seen: list[bool] = []

    def train() -> None:
        seen.append(state.at_boundary())
        state.begin_boundary(late=False)
        seen.append(state.at_boundary())

    thread = threading.Thread(target=train)
    thread.start()
    thread.join(20)
    assert [*seen, state.at_boundary()] == [False, True, False]


def test_a_forked_child_is_not_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """It inherits the run, but no thread of it."""
    state = RunState()
    assert state.in_own_process()
    monkeypatch.setattr(os, "getpid", lambda: state.process + 1)
    assert not state.in_own_process()
