"""When a job traces a step by itself, and when it samples one out of turn."""

from __future__ import annotations

import math

import pytest
from torch import nn

from gradgate.probe.base.states import State
from gradgate.probe.live import schedule
from gradgate.probe.live.missing import PATIENCE
from gradgate.probe.live.schedule import MOST_DOUBTS, TraceSchedule, trace_changes_figures
from gradgate.probe.torch_compat.wrappers import Wrappers
from tests.support.samples import sample

GOOD, BAD = State.PRESENT, State.ABSENT


def plan(model: nn.Module | None = None, *, strict: bool = False) -> TraceSchedule:
    models = {"": model or nn.Linear(2, 2)}
    return TraceSchedule(models, Wrappers(models), strict=strict)


def receive(plan: TraceSchedule, *states: State, broken: bool = False) -> None:
    for state in states:
        plan.receive(sample(1, state), expectation_broken=broken)


def changes_figures(model: nn.Module) -> bool:
    return trace_changes_figures({"": model}, Wrappers({"": model}))


def compiled() -> nn.Module:
    model = nn.Linear(2, 2)
    model.compile(backend="eager")
    return model


def test_a_gradient_that_stays_away_is_traced_once() -> None:
    """After some samples, and not again once it was explained."""
    plan_ = plan()
    receive(plan_, *[BAD] * (PATIENCE - 1))
    assert not plan_.wants_trace()
    receive(plan_, BAD)
    assert plan_.wants_trace()
    plan_.begin_trace()
    plan_.mark_explained()
    receive(plan_, BAD)
    assert not plan_.wants_trace()


def test_a_pause_is_kept_between_two_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many gradients are lost meanwhile."""
    plan_ = plan()
    plan_.begin_trace()
    receive(plan_, *[BAD] * PATIENCE)
    assert not plan_.wants_trace()
    assert not plan_.wants_sample()
    monkeypatch.setattr(schedule, "PAUSE", 0.0)
    assert plan_.wants_trace()
    assert plan_.wants_sample()


def test_a_broken_expectation_waits_for_no_pause() -> None:
    """The script said what ought to train; one trace is enough for it."""
    plan_ = plan()
    plan_.begin_trace()
    receive(plan_, BAD, broken=True)
    receive(plan_, BAD)
    assert plan_.wants_trace()
    plan_.begin_trace()
    assert not plan_.wants_trace()


def test_a_trace_that_changes_figures_is_not_made_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its need is dismissed for the length of a pause, and a broken expectation for good."""
    plan_ = plan(compiled())
    receive(plan_, *[BAD] * PATIENCE)
    assert plan_.wants_sample()
    assert not plan_.wants_trace()
    assert not plan_.wants_sample()
    receive(plan_, BAD, broken=True)
    assert not plan_.wants_trace()
    monkeypatch.setattr(schedule, "PAUSE", math.inf)
    assert not plan_.wants_trace()


def test_a_strict_job_is_traced_though_its_figures_change() -> None:
    """It is about to fail."""
    plan_ = plan(compiled(), strict=True)
    receive(plan_, BAD, broken=True)
    assert plan_.wants_trace()


def test_a_doubt_is_sampled_until_it_is_settled() -> None:
    """A gradient that is away once may come with the next step."""
    plan_ = plan()
    assert not plan_.wants_sample()
    receive(plan_, BAD)
    assert plan_.wants_sample()
    receive(plan_, GOOD)
    assert not plan_.wants_sample()


def test_a_gradient_that_comes_and_goes_is_left_alone_after_some_steps() -> None:
    """Sampling every step would slow the job for ever."""
    plan_ = plan()
    receive(plan_, BAD)
    wanted = [plan_.wants_sample() for _ in range(MOST_DOUBTS + 2)]
    assert wanted == [True] * (MOST_DOUBTS + 1) + [False]


@pytest.mark.parametrize("training", [True, False])
def test_a_fused_path_in_eval_mode_changes_figures(training: bool) -> None:
    """Padded positions are zeros there, and are not under a trace."""
    layer = nn.TransformerEncoderLayer(4, 1, 4, batch_first=True).train(training)
    assert changes_figures(nn.Sequential(layer)) is not training


def test_a_compiled_model_changes_figures() -> None:
    """It runs eagerly under a trace, with other last bits."""
    assert changes_figures(compiled())
    assert not changes_figures(nn.Linear(2, 2))
