"""The pauses between two tries to reach a server."""

from __future__ import annotations

import random

import pytest

from gradgate.probe.link import backoff
from gradgate.probe.link.backoff import FIRST_PAUSE, GROWTH, LONGEST_PAUSE, Backoff


def bounds(pauses: Backoff, count: int) -> list[float]:
    return [pauses.failed() for _ in range(count)]


def test_a_pause_may_take_longer_each_time_up_to_a_bound() -> None:
    """It grows by the same factor, and never beyond the longest."""
    found = bounds(Backoff(lambda low, high: high), 20)
    assert found[:3] == pytest.approx([FIRST_PAUSE, FIRST_PAUSE * GROWTH, FIRST_PAUSE * GROWTH**2])
    assert found == sorted(found)
    assert found[-5:] == [LONGEST_PAUSE] * 5
    assert bounds(Backoff(lambda low, high: low), 3) == [0.0, 0.0, 0.0]


def test_pauses_are_spread_over_all_that_they_may_take() -> None:
    """Of 500 jobs that lost a server at once, no tenth of the pause sees more than a fifth."""
    pauses = []
    for _ in range(500):
        one = Backoff()
        pauses.append(bounds(one, 9)[-1] / min(LONGEST_PAUSE, FIRST_PAUSE * GROWTH**8))
    assert all(0.0 <= pause <= 1.0 for pause in pauses)
    tenths = [sum(int(10 * pause) == tenth for pause in pauses) for tenth in range(10)]
    assert min(tenths) > 0
    assert max(tenths) < 100


@pytest.mark.parametrize(("seconds", "anew"), [(0.0, False), (0.2, False), (1.0, True)])
def test_it_begins_anew_after_a_connection_that_has_held(seconds: float, anew: bool) -> None:
    """It has held when it took longer than the pause before the next may."""
    pauses = Backoff(lambda low, high: high)
    bounds(pauses, 3)
    pauses.held(seconds)
    assert (pauses.failed() == FIRST_PAUSE) is anew


def test_who_would_not_help_is_asked_after_long() -> None:
    """A server that refuses for good later than one that is none; no pause is the same twice."""
    refused = [Backoff().refused() for _ in range(50)]
    foreign = [Backoff().foreign() for _ in range(50)]
    assert backoff.REFUSED_PAUSE <= min(refused) < max(refused) <= 1.5 * backoff.REFUSED_PAUSE
    assert LONGEST_PAUSE / 2 <= min(foreign) < max(foreign) <= LONGEST_PAUSE


def test_the_random_numbers_of_the_script_are_left_alone() -> None:
    """A job that draws from `random` trains as it would without a server to look for."""
    before = random.getstate()
    pauses = Backoff()
    bounds(pauses, 20)
    pauses.refused()
    pauses.foreign()
    assert random.getstate() == before
