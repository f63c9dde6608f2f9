"""The step in which gradients and weights stop being finite."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from gradgate.probe.base.states import State
from gradgate.probe.measure.onset_watch import OnsetWatch
from gradgate.probe.model.sample import Sample
from gradgate.probe.model.table import ParameterTable


class Watched:
    """Two parameters, and what a watch is told of them."""

    def __init__(self) -> None:
        self.model = nn.Linear(2, 2)
        self.watch = OnsetWatch(ParameterTable({"": self.model}))
        self.weight, self.bias = id(self.model.weight), id(self.model.bias)

    def sample(self, step: int, *states: State, skipped: bool = False) -> None:
        codes = np.array([int(state) for state in states], np.uint8)
        self.watch.receive(Sample(step, 0.0, codes, {}, skipped))

    def spoil(self) -> None:
        with torch.no_grad():
            self.model.weight[0, 0] = math.nan


BAD, FINE = (State.NONFINITE, State.PRESENT), (State.PRESENT, State.PRESENT)


def test_finite_gradients_have_no_onset() -> None:
    """And one that ends is over."""
    seen = Watched()
    seen.sample(1, *FINE)
    assert seen.watch.onset is None
    seen.sample(2, *BAD)
    seen.sample(3, *FINE)
    assert seen.watch.onset is None
    assert not seen.watch.wants_look


def test_the_first_sample_of_a_row_is_the_onset() -> None:
    """With the last one that was finite, and which gradients were so."""
    seen = Watched()
    seen.sample(4, *FINE)
    seen.sample(5, *BAD)
    seen.sample(6, State.NONFINITE, State.NONFINITE)
    onset = seen.watch.onset
    assert onset is not None
    assert (onset.step, onset.finite_at, onset.alone) == (5, 4, True)
    assert (onset.spoilt, onset.sound) == ({seen.weight}, {seen.bias})
    assert onset.weights_before is None


def test_a_step_that_amp_skipped_says_nothing() -> None:
    """It looks for a factor, and nothing is applied."""
    seen = Watched()
    seen.sample(1, *BAD, skipped=True)
    assert seen.watch.onset is None


def test_steps_between_samples_may_have_been_first() -> None:
    """Unless it was the first step of all."""
    seen = Watched()
    seen.sample(2, *FINE)
    seen.sample(9, *BAD)
    assert seen.watch.onset is not None
    assert not seen.watch.onset.alone
    first = Watched()
    first.sample(1, *BAD)
    assert first.watch.onset is not None
    assert first.watch.onset.alone


def test_weights_are_looked_at_before_the_step_applies_what_is_bad() -> None:
    """Finite then, and not in the next: the step between made it."""
    seen = Watched()
    seen.watch.look(1)
    seen.sample(1, *BAD)
    assert seen.watch.onset is not None
    assert seen.watch.onset.weights_before == frozenset()
    assert seen.watch.wants_look
    seen.spoil()
    seen.watch.look(2)
    assert seen.watch.onset.weights == {seen.weight}
    assert seen.watch.onset.weights_before == frozenset()
    assert not seen.watch.wants_look


def test_a_step_of_several_optimizers_is_looked_at_once() -> None:
    """Before the first of them: what that one applies is of this step."""
    seen = Watched()
    seen.watch.look(1)
    seen.spoil()
    seen.watch.look(1)
    seen.sample(1, *BAD)
    assert seen.watch.onset is not None
    assert seen.watch.onset.weights_before == frozenset()


def test_a_look_at_another_step_says_nothing_of_this_one() -> None:
    """Nobody looked before it."""
    seen = Watched()
    seen.watch.look(1)
    seen.sample(2, *BAD)
    assert seen.watch.onset is not None
    assert seen.watch.onset.weights_before is None


def test_weights_that_were_so_before_are_told() -> None:
    """Then they came first."""
    seen = Watched()
    seen.spoil()
    seen.watch.look(3)
    seen.sample(3, *BAD)
    assert seen.watch.onset is not None
    assert seen.watch.onset.weights_before == {seen.weight} == seen.watch.onset.weights
