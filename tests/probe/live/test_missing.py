"""Which parameters lack a useful gradient, and for how long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradgate.probe.base.states import State
from gradgate.probe.live.missing import MISSING, PATIENCE, MissingGradients
from tests.support.samples import sample

GOOD, BAD = State.PRESENT, State.ABSENT


def after(*samples: tuple[State, ...]) -> MissingGradients:
    missing = MissingGradients()
    for step, states in enumerate(samples, 1):
        missing.receive(sample(step, *states))
    return missing


@pytest.mark.parametrize("state", MISSING)
def test_one_that_misses_for_long_enough_is_overdue(state: State) -> None:
    """Not before, and no other parameter."""
    assert after(*[(GOOD, state)] * (PATIENCE - 1)).overdue().tolist() == []
    assert after(*[(GOOD, state)] * PATIENCE).overdue().tolist() == [1]


@pytest.mark.parametrize("state", [State.FROZEN, State.GATED, State.UNMEASURED])
def test_what_somebody_wished_is_not_missing(state: State) -> None:
    """Frozen and gated parameters, and those that a step did not cover."""
    missing = after(*[(state,)] * PATIENCE)
    assert missing.overdue().tolist() == []
    assert not missing.doubtful


def test_a_gradient_that_comes_once_begins_the_count_anew() -> None:
    """Only samples in a row count."""
    assert after(*[(BAD,)] * (PATIENCE - 1), (GOOD,), (BAD,)).overdue().tolist() == []


def test_a_skipped_step_says_nothing() -> None:
    """Its gradients were dropped by AMP, and are neither here nor there."""
    missing = after(*[(BAD,)] * (PATIENCE - 1))
    missing.receive(sample(9, BAD, skipped=True))
    assert missing.overdue().tolist() == []
    missing.receive(sample(10, GOOD, skipped=True))
    missing.receive(sample(11, BAD))
    assert missing.overdue().tolist() == [0]


def test_what_was_explained_is_not_overdue_until_it_was_well() -> None:
    """A parameter that is lost again is looked at again."""
    missing = after(*[(BAD,)] * PATIENCE)
    assert missing.doubtful
    missing.mark_explained()
    assert not missing.doubtful
    missing.receive(sample(8, BAD))
    assert (missing.overdue().tolist(), missing.doubtful) == ([], False)
    missing.receive(sample(9, GOOD))
    for step in range(PATIENCE):
        missing.receive(sample(10 + step, BAD))
    assert (missing.overdue().tolist(), missing.doubtful) == ([0], True)


def test_a_parameter_that_is_new_is_counted_from_then_on() -> None:
    """The others keep their counts."""
    missing = after(*[(BAD,)] * (PATIENCE - 1), (BAD, BAD))
    assert missing.overdue().tolist() == [0]


def test_what_was_not_asked_for_a_gradient_does_not_miss_it() -> None:
    """Its count stands still, until a step of its optimizer; an explanation then was not of it."""
    missing = MissingGradients()
    for step in range(PATIENCE):
        missing.receive(sample(step, BAD, BAD, waiting=[0]))
    assert missing.overdue().tolist() == [1]
    for step in range(PATIENCE - 1):
        missing.receive(sample(step, BAD, GOOD))
        missing.receive(sample(step, BAD, GOOD, waiting=[0]))
    assert missing.overdue().tolist() == []
    missing.mark_explained()
    missing.receive(sample(9, BAD, GOOD))
    assert missing.overdue().tolist() == [0]


def test_one_that_comes_back_misses_no_more() -> None:
    """Its states are those of an earlier sample, in which nothing was missing."""
    missing = MissingGradients()
    whole = sample(0, GOOD, GOOD)
    missing.receive(whole)
    missing.receive(sample(1, GOOD, BAD))
    assert missing.doubtful
    missing.receive(replace(whole, step=2))
    assert not missing.doubtful
    missing.receive(replace(whole, step=3))
    for step in range(PATIENCE):
        missing.receive(sample(4 + step, GOOD, BAD))
    assert missing.overdue().tolist() == [1]
