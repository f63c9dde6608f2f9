"""How long weights have stayed or moved."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradgate.probe.base.states import State
from gradgate.probe.model.movement import Movement
from gradgate.probe.progress.streaks import Streaks
from tests.support.samples import sample

GOOD, NONE = State.PRESENT, State.ABSENT


def movement(step: int, since: int, moved: str, **changes: Any) -> Movement:
    """A look; ``moved`` has a letter a parameter: ``y`` moved, ``n`` did not, ``-`` not known."""
    marks = np.array(list(moved))
    none = np.full(len(marks), np.nan, np.float32)
    arrays = {
        "since": np.full(len(marks), since, np.int64),
        "known": marks != "-",
        "moved": marks == "y",
        "stepped": marks != "-",
        "update_ratio": none,
        "weight_norm": none,
    }
    return Movement(step, **{**arrays, **changes})


def receive(streaks: Streaks, step: int, *states: State) -> None:
    taken = sample(step, *states)
    streaks.receive(taken, taken.states == GOOD)


def test_a_weight_that_stays_counts_only_while_its_gradient_is_of_use() -> None:
    """From the look on after which it stayed."""
    streaks = Streaks()
    for step in (4, 5):
        receive(streaks, step, GOOD, NONE)
        streaks.receive_movement(movement(step, step - 1, "nn"))
    assert streaks.still.tolist() == [2, 0]
    assert streaks.since[0] == 3
    streaks.receive_movement(movement(6, 5, "y-"))
    assert streaks.still.tolist() == [0, 0]


def test_a_look_whose_steps_were_all_skipped_says_nothing() -> None:
    """No useful gradient was applied since the look before."""
    streaks = Streaks()
    receive(streaks, 4, GOOD)
    streaks.receive_movement(movement(5, 4, "n"))
    assert streaks.still.tolist() == [0]


def test_a_weight_that_moves_counts_only_while_it_is_idle() -> None:
    """A look that does not see it leaves the count as it is."""
    streaks = Streaks()
    receive(streaks, 1, NONE, GOOD, State.FROZEN)
    streaks.receive_movement(movement(1, 0, "yyy"))
    streaks.receive_movement(movement(2, 1, "-yy"))
    assert streaks.roaming.tolist() == [1, 0, 2]
    streaks.receive_movement(movement(3, 1, "ynn"))
    assert streaks.roaming.tolist() == [2, 0, 0]


def test_a_look_of_a_smaller_model_is_taken_for_what_it_saw() -> None:
    """A layer may have joined between the look and its arrival."""
    streaks = Streaks()
    receive(streaks, 1, GOOD, GOOD, NONE)
    streaks.receive_movement(movement(1, 0, "ny"))
    assert streaks.still.tolist() == [1, 0, 0]
    receive(streaks, 2, GOOD)
    assert streaks.idle.tolist() == [0, 0, 1]


def test_the_latest_sample_says_what_is_trained() -> None:
    """None before the first."""
    streaks = Streaks()
    streaks.receive_movement(movement(0, 0, "--"))
    assert not streaks.trained.any()
    receive(streaks, 1, GOOD, GOOD)
    receive(streaks, 2, GOOD, NONE)
    assert streaks.trained.tolist() == [True, False]


def test_a_step_of_another_optimizer_says_nothing() -> None:
    """Neither that a gradient was of use, nor that there was none."""
    streaks = Streaks()
    receive(streaks, 1, GOOD, NONE)
    taken = sample(2, NONE, GOOD, waiting=[0, 1])
    streaks.receive(taken, taken.states == GOOD)
    assert streaks.idle.tolist() == [0, 1]
    assert streaks.trained.tolist() == [False, False]


def test_samples_in_a_row_with_the_same_states_count_each() -> None:
    """As if each had come alone."""
    one_by_one, together = Streaks(), Streaks()
    for streaks in (one_by_one, together):
        receive(streaks, 1, NONE, GOOD, NONE)
    for step in (2, 3, 4):
        receive(one_by_one, step, NONE, NONE, GOOD)
    taken = sample(4, NONE, NONE, GOOD)
    together.receive(taken, taken.states == GOOD, 3)
    assert together.idle.tolist() == one_by_one.idle.tolist() == [4, 3, 0]
    assert together.trained.tolist() == one_by_one.trained.tolist() == [False, False, True]
