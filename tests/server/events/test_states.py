"""What samples show of parameters over time: vanished, absent, dead, and not moving."""

from __future__ import annotations

import numpy as np
import pytest

from gradgate.server.events.finding import Finding
from gradgate.server.events.watch import Watch
from gradgate.server.protocol.frames import Sample
from gradgate.server.protocol.statistics import Statistic
from tests.support.detecting import Sampled
from tests.support.probing import ABSENT, FROZEN, PRESENT, STALE, ZERO


def test_a_gradient_has_vanished_when_it_stays_far_below_what_is_usual(sampled: Sampled) -> None:
    """For some samples, of which one above begins anew; told once, from where it began."""
    for _ in range(20):
        sampled([1.0, 1.0])
    lows = [sampled([low, 1.0]) for low in (1e-6, 1e-6, 1.0, 1e-6, 1e-6)]
    assert not any(lows)
    (found,) = sampled([1e-6, 1.0])
    assert (found.kind, found.step, found.last_step) == ("vanished", 24, 26)
    assert found.parameters.tolist() == [0]
    assert not sampled([1e-6, 1.0])


def test_a_gradient_of_zeros_has_vanished_too(sampled: Sampled) -> None:
    """It was there before, and one that never was has not vanished."""
    for _ in range(20):
        sampled([1.0, 0.0], [PRESENT, STALE])
    found = [each for _ in range(3) for each in sampled([0.0, 0.0], [ZERO, ZERO])]
    assert [(each.kind, each.parameters.tolist()) for each in found] == [("vanished", [0])]


def test_a_gradient_that_is_absent_is_told_of_once(sampled: Sampled) -> None:
    """From its first sample, or after there was one; a frozen one is not missing."""
    (first,) = sampled([0, 1, 0], [ABSENT, PRESENT, FROZEN])
    assert (first.parameters.tolist(), first.figures) == ([0], {"had_one_before": 0})
    assert not sampled([0, 1, 0], [ABSENT, PRESENT, FROZEN])
    (later,) = sampled([0, 0, 0], [ABSENT, ABSENT, FROZEN])
    assert (later.parameters.tolist(), later.figures) == ([1], {"had_one_before": 1})
    assert "and had one before" in later.sentence


def test_a_gradient_that_comes_and_goes_makes_no_flood(sampled: Sampled) -> None:
    """A parameter is told of at most once in so many samples, four here."""
    found = [bool(sampled([0], [[ABSENT, PRESENT][number % 2]])) for number in range(12)]
    assert [number for number, told in enumerate(found) if told] == [0, 4, 8]


def test_a_parameter_is_dead_after_so_many_samples_of_zeros(sampled: Sampled) -> None:
    """Running: one that is not begins anew."""
    states = [[ZERO, ZERO]] * 2 + [[ZERO, PRESENT]] + [[ZERO, ZERO]] * 6
    found = [sampled([0.0, 1.0], each) for each in states]
    dead = [[(each.step, each.parameters.tolist()) for each in some] for some in found]
    assert dead == [[], [], [], [], [(1, [0])], [], [], [(4, [1])], []]


@pytest.mark.parametrize("ratio", [0.0, 1e-9])
def test_weights_that_do_not_move_are_told_of(sampled: Sampled, ratio: float) -> None:
    """From the first measured step on; where there is no gradient nothing has to move."""
    nan = float("nan")
    found = []
    for measured in ([1, 0], [ratio, 0], [nan, nan], [ratio, 0], [ratio, nan], [ratio, 0]):
        found += sampled([1, 0], [PRESENT, FROZEN], measured)
    told = [("not_moving", 2, 5, [0])] if ratio == 0 else []
    seen = [(each.kind, each.step, each.last_step, each.parameters.tolist()) for each in found]
    assert seen == told


def test_what_lasts_begins_anew_where_the_job_went_back(watch: Watch) -> None:
    """Its steps follow each other, and none of them is one that was taken back."""

    def still(step: int) -> list[Finding]:
        values = {
            int(Statistic.GRAD_NORM): np.ones(1, np.float32),
            int(Statistic.UPDATE_RATIO): np.zeros(1, np.float32),
        }
        sample = Sample(step, step, float(step), False, np.array([PRESENT], np.uint8), values)
        return watch.see_sample(sample, step)

    found = [each for step in (998, 999, 300, 301, 302) for each in still(step)]
    assert [(each.step, each.last_step) for each in found] == [(300, 302)]


def test_what_was_told_is_not_told_again_after_a_restart(watch: Watch, sampled: Sampled) -> None:
    """What lasts goes on lasting, and what had only begun begins anew."""
    for _ in range(4):
        sampled([0, 0, 1], [ABSENT, ZERO, PRESENT], [0, 0, 0])
    watch.restore(watch.state())
    found = [
        each for _ in range(4) for each in sampled([0, 0, 1], [ABSENT, ZERO, PRESENT], [0] * 3)
    ]
    assert not found
    (dead,) = sampled([0, 0, 1], [ABSENT, ZERO, PRESENT], [0] * 3)
    assert (dead.kind, dead.step) == ("dead", 5)
    watch.restore(watch.state())
    assert not any(sampled([0, 0, 1], [ABSENT, ZERO, PRESENT], [0] * 3) for _ in range(9))


def test_the_table_may_grow(sampled: Sampled) -> None:
    """New parameters have no past, and the others keep theirs."""
    sampled([0], [ABSENT])
    (found,) = sampled([0, 0], [ABSENT, ABSENT])
    assert found.parameters.tolist() == [1]
