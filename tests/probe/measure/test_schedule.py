"""Which steps are sampled."""

from __future__ import annotations

from collections.abc import Container

import pytest

from gradgate.probe.measure import schedule as schedule_module
from gradgate.probe.measure.pace import UNSEEN, Pace
from gradgate.probe.measure.schedule import SamplingSchedule


def sampled(schedule: SamplingSchedule, steps: int, asked: Container[int] = ()) -> list[int]:
    """Let steps pass, in some of which something begins; return those that were sampled."""
    found = []
    for step in range(1, steps + 1):
        if schedule.sampling:
            found.append(step)
        if step in asked:
            schedule.ask(step)
        schedule.end_step(step, 0.001, sampled=schedule.sampling)
    return found


def test_each_nth_step_is_sampled() -> None:
    """The first step is planned when the schedule is made."""
    assert sampled(SamplingSchedule(Pace(3, 0.01)), 10) == [3, 6, 9]
    assert sampled(SamplingSchedule(Pace(1, 0.01)), 3) == [1, 2, 3]


def test_a_step_that_somebody_wants_to_see_is_sampled_out_of_turn() -> None:
    """As long as it is wanted, every step is."""
    schedule = SamplingSchedule(Pace(100, 0.01))
    schedule.end_step(1, 0.0, sampled=False)
    assert not schedule.sampling
    schedule.must_sample = True
    schedule.end_step(2, 0.0, sampled=False)
    assert schedule.sampling
    schedule.must_sample = False
    schedule.end_step(3, 0.0, sampled=True)
    assert not schedule.sampling


def test_a_step_is_sampled_because_something_began() -> None:
    """The one after it, out of turn, and once in an interval at most."""
    asked = (12, 13, 15, 22, 31)
    assert sampled(SamplingSchedule(Pace(10, 0.01)), 39, asked) == [10, 13, 20, 23, 30]


def test_samples_out_of_turn_are_as_often_as_each_hundredth_step() -> None:
    """However rare the others are."""
    asked = (12, 13, 111, 112)
    assert sampled(SamplingSchedule(Pace(1_000_000, 0.01)), 120, asked) == [13, 113]


def test_a_step_beside_the_pace_does_not_slow_the_sampling() -> None:
    """What one traced step took is no part of what a sample is taken to cost."""
    paces = []
    for beside in (False, True):
        schedule = SamplingSchedule(Pace(None, 0.5))
        schedule.end_step(1, 0.0, sampled=True)
        schedule.end_step(2, 0.0, sampled=True)
        schedule.beside_the_pace = beside
        schedule.end_step(3, 1000.0, sampled=True)
        assert not schedule.beside_the_pace
        schedule.end_step(4, 1000.0, sampled=True)
        paces.append(schedule.pace.interval)
    assert paces[1] < paces[0]


def test_steps_that_nobody_looked_at_share_what_was_spent() -> None:
    """With the step behind them, each as it ended; what that had beside it is its own."""
    schedule = SamplingSchedule(Pace(100, 0.01))
    recorded: list[tuple[int, float, bool]] = []

    def record(step: int, seconds: float | None, spent: float, *, sampled: bool) -> None:
        recorded.append((step, spent, sampled))

    schedule.pace.record = record  # type: ignore[method-assign]
    for step in (1, 2):
        schedule.pass_unseen(step)
    schedule.pass_step(3, 0.75, sampled=False)
    schedule.pass_unseen(4)
    assert recorded == []
    schedule.end_step(5, 3.0, sampled=False, beside=2.0)
    assert recorded == [(step, 0.25, False) for step in (1, 2, 3)] + [
        (4, 0.5, False),
        (5, 0.5, False),
    ]
    schedule.end_step(6, 1.0, sampled=True)
    assert recorded[5:] == [(6, 1.0, True)]


def test_the_cost_has_what_no_clock_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as steps without a sample tell of it."""
    now = [0.0]
    monkeypatch.setattr(schedule_module.time, "perf_counter", lambda: now[0])
    schedule = SamplingSchedule(Pace(1000, 0.01))
    for step in range(1, 200):
        now[0] += 0.1
        schedule.end_step(step, 0.001, sampled=False)
    assert schedule.meter.cost() == pytest.approx(0.01 * (1 + UNSEEN), rel=0.02)


def test_what_the_probe_costs_is_counted_in_every_step() -> None:
    """Traced steps are a cost like any other."""
    schedule = SamplingSchedule(Pace(1, 0.01))
    assert schedule.meter.cost() is None
    for step in range(1, 4):
        schedule.beside_the_pace = True
        schedule.end_step(step, 1e-9, sampled=True)
    cost = schedule.meter.cost()
    assert cost is not None
    assert cost > 0


def test_what_was_taken_beside_a_sample_makes_samples_no_rarer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It counts in what the probe costs all the same."""
    pace = Pace(None, 0.1)
    costs: list[float] = []

    def record(step: int, seconds: float | None, spent: float, *, sampled: bool) -> None:
        costs.append(spent)

    monkeypatch.setattr(pace, "record", record)
    schedule = SamplingSchedule(pace)
    for step in range(1, 4):
        schedule.end_step(step, 0.75, sampled=True, beside=0.5)
    assert costs == [0.25] * 3
    assert (schedule.meter.cost() or 0) > 1
