"""Where a run is in its steps."""

from __future__ import annotations

import _thread
import os
import threading

import pytest
import torch

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


def test_a_step_that_ends_in_a_thread_of_autograds_leaves_the_script_where_it_is() -> None:
    """As the backward of a GPU runs in one, that Python did not make."""
    state = RunState()
    state.between = False
    ended = threading.Event()
    leaf = torch.ones(1, requires_grad=True)

    def end_step(_: torch.Tensor) -> None:
        state.begin_boundary(late=False)

    def run_backward() -> None:
        output = leaf * 2
        output.register_hook(end_step)
        output.backward()
        ended.set()

    _thread.start_new_thread(run_backward, ())
    assert ended.wait(20)
    assert state.step == 1
    assert state.at_boundary()
