"""The states of a gradient: the worst of several, and how many there are of each."""

from __future__ import annotations

import numpy as np
import pytest

from gradgate.server.protocol.states import WORST_FIRST, State, count_states, worst
from gradgate.server.protocol.statistics import LIVE_CODES, STORED_STATISTICS, Statistic


@pytest.mark.parametrize(
    ("states", "least"),
    [
        ((State.PRESENT, State.NONFINITE, State.ZERO), State.NONFINITE),
        ((State.ABSENT, State.ZERO), State.ZERO),
        ((State.GATED, State.FROZEN, State.STALE), State.STALE),
        ((State.UNMEASURED, State.PRESENT), State.PRESENT),
        ((State.UNMEASURED,), State.UNMEASURED),
    ],
)
def test_the_worst_state_of_a_bucket(states: tuple[State, ...], least: State) -> None:
    """Whatever needs a person's eye most."""
    assert worst(np.array(states, np.uint8), np.array([0])).tolist() == [least]


def test_each_bucket_has_its_own() -> None:
    """And every state has its rank."""
    states = np.array([State.PRESENT, State.ZERO, State.FROZEN, State.PRESENT], np.uint8)
    assert worst(states, np.array([0, 2])).tolist() == [State.ZERO, State.FROZEN]
    assert sorted(WORST_FIRST) == sorted(State)


def test_states_are_counted() -> None:
    """Those that nobody is in are left out."""
    states = np.array([State.PRESENT, State.ZERO, State.PRESENT], np.uint8)
    assert count_states(states) == {"present": 2, "zero": 1}


def test_what_is_stored_is_what_a_probe_may_send() -> None:
    """The others are made for the live frame."""
    assert {*STORED_STATISTICS.values(), *LIVE_CODES} == set(Statistic)
    assert STORED_STATISTICS["grad_max"] is Statistic.GRAD_MAX
