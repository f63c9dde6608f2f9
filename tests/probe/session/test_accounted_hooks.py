"""What the page shows as the probe's cost has all by which a step enters the probe."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from gradgate import probe
from gradgate.probe.base import account, guard
from gradgate.probe.measure import backward_timer
from gradgate.probe.measure.backward_timer import BackwardTimer
from gradgate.probe.measure.metrics import MetricLog
from gradgate.probe.measure.schedule import SamplingSchedule
from gradgate.probe.session.model_hooks import ModelHooks
from gradgate.probe.session.step_cycle import StepCycle

ENTERED: list[tuple[type, str]] = [
    (ModelHooks, "_forward_begins"),
    (BackwardTimer, "forward_begins"),
    (BackwardTimer, "_after_forward"),
    (backward_timer._GradientArrives, "__call__"),
    (BackwardTimer, "_end"),
    (StepCycle, "before_step"),
    (StepCycle, "stepped"),
    (MetricLog, "add"),
    (StepCycle, "cleared"),
]
"""One method behind each hook of a step, and the one behind ``log``."""


def test_each_hook_of_a_step_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """On forwards, in the backward, around step() and zero_grad(); and what is logged."""
    now, spent = [0], list[float]()
    for place, (owner, name) in enumerate(ENTERED):
        take_time(monkeypatch, now, owner, name, 2**place)
    for module in (account, guard):
        monkeypatch.setattr(module, "perf_counter", lambda: float(now[0]))
    note = SamplingSchedule._note

    def noted(self: SamplingSchedule, step: int, seconds: float, **more: Any) -> None:
        spent.append(seconds)
        note(self, step, seconds, **more)

    monkeypatch.setattr(SamplingSchedule, "_note", noted)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False) as run:
        for _ in range(3):
            optimizer.zero_grad()
            now[0] += 1_000_000  # what the job itself does
            loss = model(torch.randn(4, 3)).sum()
            loss.backward()
            run.log(loss=loss)
            optimizer.step()
    assert spent == [2 ** len(ENTERED) - 1] * 3


def take_time(
    monkeypatch: pytest.MonkeyPatch, now: list[int], owner: type, name: str, seconds: int
) -> None:
    """Let each call of a method take so many seconds of the account's clock."""
    method = getattr(owner, name)

    def call(*args: Any, **named: Any) -> Any:
        now[0] += seconds
        return method(*args, **named)

    monkeypatch.setattr(owner, name, call)
