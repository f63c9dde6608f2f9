"""How often the probe samples, and what it says it costs."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gradgate.probe.measure.pace import LONGEST_UNASKED, MAX_INTERVAL, UNSEEN, Meter, Pace


def sampled_steps(pace: Pace, steps: int, step_time: float, sample_time: float) -> list[int]:
    """Play a job whose steps and samples take these seconds; returns the steps sampled."""
    sampled = []
    for step in range(1, steps + 1):
        due = pace.due(step)
        spent = sample_time if due else 0.0
        pace.record(step, step_time + spent, spent, sampled=due)
        if due:
            sampled.append(step)
    return sampled


@pytest.mark.parametrize(
    ("step_time", "sample_time", "interval"),
    [(1.0, 0.001, 1), (0.1, 0.001, 1), (0.1, 0.002, 2), (0.01, 0.001, 10), (0.001, 0.01, 1000)],
)
def test_the_interval_keeps_sampling_within_the_budget(
    step_time: float, sample_time: float, interval: int
) -> None:
    """With a budget of 1 % the cost of a sample is spread over as many steps as it takes."""
    pace = Pace(None, 0.01)
    steps = sampled_steps(pace, 5 * interval, step_time, sample_time)
    assert pace.interval == interval
    assert steps[-1] - steps[-2] == interval if interval < 1000 else len(steps) < 20


def test_one_slow_first_sample_does_not_slow_down_the_rest() -> None:
    """A first sample that warms caches up, and a long pause, are outliers and not the measure."""
    pace = Pace(None, 0.01)
    pace.record(1, 0.1, 0.5, sampled=True)
    sampled_steps(pace, 1500, 0.1, 0.001)
    pace.record(1501, 900.0, 0.0, sampled=False)
    assert pace.interval == 1


@pytest.mark.parametrize(
    ("longer", "interval"),
    [(0.0, 20), (0.001, 20), (0.003, 30), (0.9, 60)],
    ids=["as usual", "less than the hooks took", "more", "much more"],
)
def test_a_sample_costs_what_makes_its_steps_longer(longer: float, interval: int) -> None:
    """Not its hooks alone: cold caches and sending are on the budget, up to three times those."""
    pace = Pace(None, 0.01)
    for step in range(1, 101):
        sampled = step % 10 == 0
        seconds = 0.01 + longer if sampled else 0.01
        pace.record(step, seconds, 0.002 if sampled else 0.0, sampled=sampled)
    assert pace.interval == interval


def test_a_job_that_becomes_faster_is_sampled_no_less_for_that() -> None:
    """A step with a sample is compared with those around it only."""
    pace = Pace(None, 0.01)
    for step in range(1, 201):
        sampled, usual = step % 10 == 0, 0.1 if step < 100 else 0.01
        spent = 0.002 if sampled else 0.0
        pace.record(step, usual + spent, spent, sampled=sampled)
    assert pace.interval == 20


def test_the_interval_is_bounded() -> None:
    """Even a sample that costs a million steps is taken again some day."""
    pace = Pace(None, 0.01)
    pace.record(1, 1e-6, 1.0, sampled=True)
    pace.record(2, 1e-6, 0.0, sampled=False)
    assert pace.interval == MAX_INTERVAL


def test_every_is_exact_and_ignores_the_budget() -> None:
    """every=4 samples steps 4, 8 and 12, however dear a sample is."""
    assert sampled_steps(Pace(4, 0.01), 13, 0.001, 1.0) == [4, 8, 12]


def test_the_meter_gives_cost_and_speed() -> None:
    """Ten steps a second of which 2 ms are the probe's: 10 steps/s and a cost of 2 %."""
    meter = Meter()
    assert meter.cost() is None
    for tick in range(100):
        meter.record(tick * 0.1, 0.002)
    assert meter.cost() == pytest.approx(0.02)
    assert meter.steps_per_second(9.95) == pytest.approx(10)


def test_the_speed_falls_when_no_step_is_made() -> None:
    """A job that evaluates for a minute is not shown at full speed."""
    meter = Meter()
    for tick in range(100):
        meter.record(tick * 0.1, 0.0)
    speed = meter.steps_per_second(9.9 + 60)
    assert speed is not None
    assert speed < 0.1


def test_what_steps_without_a_sample_cost_comes_off_the_budget() -> None:
    """Hooks that cost as much as the budget leave samples, and looks, a tenth of it."""
    intervals, rooms = [], []
    for idle in (0.0, 0.004, 0.5):
        pace = Pace(None, 0.01)
        for step in range(1, 21):
            pace.record(step, 1.0, 0.02, sampled=True)
            pace.record(step, 1.0, idle, sampled=False)
        intervals.append(pace.interval)
        rooms.append(pace.room())
        assert pace.unseen == pytest.approx(UNSEEN * idle)
    assert intervals[0] == 3
    assert intervals[1] == 7
    assert intervals[2] > 20
    left = 1 - (1 + UNSEEN) * 0.4
    assert rooms == [1.0, pytest.approx(left, rel=0.03), 0.1]


def test_whoever_says_how_often_has_the_whole_budget_for_looks() -> None:
    """What the samples cost is what was asked for; so it is before anything was measured."""
    pace = Pace(10, 0.01)
    assert (pace.room(), Pace(None, 0.01).room()) == (1.0, 1.0)
    for step in range(1, 21):
        pace.record(step, 1.0, 0.5, sampled=False)
    assert pace.room() == 1.0


def test_the_interval_is_found_in_few_steps_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes medians: of 99 steps between two samples in fewer than fifteen."""
    asked: list[int] = []
    find = Pace.interval.fget
    assert find is not None

    def interval(self: Pace) -> int:
        asked.append(1)
        return find(self)

    monkeypatch.setattr(Pace, "interval", property(interval))
    pace = Pace(None, 0.01)
    sampled = sampled_steps(pace, 2000, 0.01, 0.01)
    assert 100 in {later - before for before, later in pairwise(sampled)}
    assert len(asked) < 9 * len(sampled)


def test_no_step_is_due_before_the_one_in_which_it_is_asked() -> None:
    """And that is never far: what steps take may have changed by then."""
    pace = Pace(None, 0.01)
    sampled = set(sampled_steps(pace, 1000, 0.01, 0.01))
    for step in range(1001, 2001):
        due = pace.due(step)
        pace.record(step, 0.02 if due else 0.01, 0.01 if due else 0.0, sampled=due)
        if due:
            sampled.add(step)
        ahead = pace.next_due(step + 1)
        assert step < ahead <= step + 1 + LONGEST_UNASKED
    assert len(sampled) > 15


def test_what_no_clock_sees_is_known_of_steps_without_a_sample_alone() -> None:
    """Where each is sampled there is nothing to tell it by."""
    pace = Pace(1, 0.01)
    pace.record(1, 1.0, 0.1, sampled=True)
    assert pace.unseen == 0.0


def test_a_first_sample_that_took_long_puts_the_next_off_for_few_steps() -> None:
    """Once steps turn out to take longer than the first few: not by what it seemed to be then."""
    pace = Pace(None, 0.01)
    pace.record(1, 0.001, 1.0, sampled=True)
    pace.record(2, 0.001, 0.0, sampled=False)
    assert not pace.due(3)
    assert pace.interval == MAX_INTERVAL
    steps = range(3, 60)
    for step in steps:
        if pace.due(step):
            break
        pace.record(step, 10.0, 0.0, sampled=False)
    assert step < 30
