"""What is told of gates at boundaries."""

from __future__ import annotations

import time

import pytest
import torch

from tests.support import gating
from tests.support.gating import Branched


def test_a_gate_that_fails_leaves_the_others_accounted_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fault in one gate at a boundary counts the step for the others, and begins the next."""
    monkeypatch.delenv("GRADGATE_STRICT", raising=False)
    model = Branched()
    with gating.attached(model) as run:
        for _ in range(3):
            run.gate("output:encoder", "norm >= 0", "scale", factor=2.0)
        gates, parts = gating.gates_at_work(run), gating.parts(run)
        gating.loss_of(model, 1).backward()
        clock = time.monotonic()
        with monkeypatch.context() as patch:
            patch.setattr(time, "monotonic", lambda: clock + 9.0)
            patch.setattr(gates[1], "end_step", gating.broken)
            patch.setattr(gates[0], "as_message", gating.broken)
            figures = parts.accounting.end_step(1)
            told = parts.accounting.take_message()
        assert [gate["id"] for gate in told or []] == [2, 3]
        assert [gate.steps for gate in run.gates()] == [1, 0, 1]
        assert figures[1]["gate 1 closed"] == figures[1]["gate 3 closed"] == 1.0
        assert "gate 2 closed" not in figures[1]
        assert parts.step.number == 2


def test_a_step_without_a_gradient_has_no_figures() -> None:
    """Only gates to which a gradient came are told of as open or closed in a step."""
    model = Branched()
    with gating.attached(model) as run:
        run.gate("output:encoder", "step == 1")
        run.gate("site:nowhere")
        accounting = gating.parts(run).accounting
        found = []
        for step in (1, 2):
            gating.loss_of(model, step).backward()
            found.append(accounting.end_step(step)[step])
            gating.parts(run).blocked.release()
            assert gating.parts(run).blocked.find() == frozenset()
        assert [figures["gate 1 closed"] for figures in found] == [1.0, 0.0]
        assert all("gate 2 closed" not in figures for figures in found)
        assert accounting.end_step(3) == {}


def test_gates_are_told_of_at_once_when_changed_and_rarely_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A command is told of at the next boundary; without one a message comes twice a second."""
    with gating.attached(Branched()) as run:
        accounting = gating.parts(run).accounting
        assert accounting.take_message() is None
        run.gate("site:a")
        assert accounting.take_message() is None  # the command itself was told of at once
        clock = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: clock + 0.4)
        assert accounting.take_message() is None
        monkeypatch.setattr(time, "monotonic", lambda: clock + 0.6)
        assert [gate["id"] for gate in accounting.take_message() or []] == [1]
        assert accounting.take_message() is None
        gating.parts(run).registry.delete(1)
        assert accounting.take_message() == []
        monkeypatch.setattr(time, "monotonic", lambda: clock + 9.0)
        assert accounting.take_message() is None


def test_what_was_asked_for_before_there_was_a_gate_is_forgotten() -> None:
    """With its step: a gradient of zeros in a later one is none that a gate kept away."""
    model = Branched()
    with gating.attached(model) as run:
        run.freeze("stem.weight")
        step = gating.parts(run).step
        loss = gating.loss_of(model, 1)
        torch.autograd.grad(loss, [model.stem.weight], retain_graph=True, allow_unused=True)
        loss.backward()
        asked = set(step.zeros)
        gating.parts(run).accounting.end_step(1)
        assert (asked, step.zeros, step.number) == ({0}, set(), 2)
