"""Trends over samples, one note of a kind for each group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from torch import nn
from torch.optim import SGD

from gradgate.probe import Alert, Thresholds
from gradgate.probe.base.states import State
from gradgate.probe.model.dead_units import DeadUnits
from gradgate.probe.model.movement import Movement
from gradgate.probe.model.sample import GRAD_NORM, Sample
from gradgate.probe.model.table import ParameterTable
from gradgate.probe.progress.groups import Groups
from gradgate.probe.progress.trends import Trends

N = 4


class Following:
    """The trends of four layers in two groups, of weights of norm 1."""

    def __init__(self, **limits: object) -> None:
        self.model = nn.Sequential(*(nn.Linear(3, 3, bias=False) for _ in range(8)))
        halves = [self.model[:4].parameters(), self.model[4:].parameters()]
        self.optimizer = SGD([{"params": half} for half in halves], lr=0.1)
        table = ParameterTable({"": self.model})
        groups = Groups([self.optimizer], table)
        thresholds = Thresholds(samples=N, **limits)  # type: ignore[arg-type]
        self.trends = Trends({"": self.model}, groups, table, thresholds)
        self.step = 0

    def sample(self, norms: Sequence[float], *, skipped: bool = False) -> None:
        self.samples([norms], skipped=skipped)

    def samples(self, norms: Sequence[Sequence[float]], *, skipped: bool = False) -> None:
        """Take in samples that come together."""
        states, stretch = np.full(8, State.PRESENT, np.uint8), []
        for each in norms:
            self.step += 1
            values = {GRAD_NORM: np.array(each, np.float32)}
            stretch.append(Sample(self.step, 0.0, states, values, skipped))
        self.trends.receive(stretch)

    def look(
        self, ratios: Sequence[float], *, skipped: bool = False, state: State = State.PRESENT
    ) -> None:
        """Take in a look at weights, and the sample of the same step; ``state``: of all."""
        self.step += 1
        self.trends.receive([Sample(self.step, 0.0, np.full(8, state, np.uint8), {}, skipped)])
        every = np.ones(8, np.bool_)
        since = np.full(8, self.step - 1, np.int64)
        ratio, norm = np.array(ratios, np.float32), np.ones(8, np.float32)
        look = Movement(self.step, since, every, every, every, ratio, norm, skipped)
        self.trends.receive_movement(look)

    def notes(self) -> list[Alert]:
        return list(self.trends.find(last=False))


def test_gradients_that_have_grown_are_one_note_of_their_group() -> None:
    """With the parameter that has grown most; the other group is as it was."""
    following = Following()
    for _ in range(N):
        following.sample([1.0] * 8)
    for _ in range(N):
        assert following.notes() == []
        following.sample([1.0] * 4 + [150.0, 150.0, 200.0, 150.0])
    (note,) = following.notes()
    assert (note.name, note.since_step, note.cause) == ("6.weight", N + 1, "exploding")
    assert note.level == "note"
    assert "group 1 of SGD" in str(note.detail)
    for _ in range(N):
        following.sample([1.0] * 8)
    assert following.notes() == []


@pytest.mark.parametrize("together", [1, 3, N, 5 * N])
def test_a_growth_is_told_until_it_is_undone(together: int) -> None:
    """However many samples come together; it shows in one of them, and is there in all behind."""
    following = Following()
    norms = [[1.0] * 8] * N + [[1.0] * 4 + [150.0] * 4] * 9 * N
    for first in range(0, len(norms), together):
        following.samples(norms[first : first + together])
    (note,) = following.notes()
    assert (note.name, note.since_step, note.cause) == ("4.weight", N + 1, "exploding")
    following.samples([[1.0] * 8] * (N // 2))
    assert following.notes() == [note]
    following.samples([[1.0] * 8] * (N - N // 2))
    assert following.notes() == []


def test_a_growth_began_where_it_was_seen_first() -> None:
    """Also where it went on in samples that came together with those, or was undone in them."""
    following, single = Following(), Following()
    norms = [[5.0**i] * 8 for i in range(2, 8 * N)]
    following.samples(norms)
    for each in norms:
        single.sample(each)
    told = {note.since_step for note in following.notes()}
    assert told == {note.since_step for note in single.notes()}
    assert max(told) < 4 * N
    up, down = [[1e9] * 8] * N, [[1.0] * 8] * 2 * N
    following = Following()
    following.samples([*down, *up])
    following.samples([*down, *up])
    assert {note.since_step for note in following.notes()} == {5 * N + 1}


def test_a_growth_is_of_the_parameters_that_it_was_seen_in() -> None:
    """Others in their group, as many, have not grown; and a NaN undoes none."""
    following = Following()
    for norm in (1.0, 200.0):
        following.samples([[norm] * 8] * N)
    with np.errstate(all="raise"):
        following.samples([[np.inf] * 8] * N)
        following.samples([[np.nan] * 8] * 3 * N)
    assert len(following.notes()) == 2
    first, second = following.optimizer.param_groups
    first["params"], second["params"] = second["params"], first["params"]
    following.samples([[200.0] * 8] * 3)
    assert following.notes() == []


def test_a_growth_that_goes_on_began_with_its_first_samples() -> None:
    """It is one growth, and is undone where gradients are as they were before the first of it."""
    following = Following()
    for exponent in range(4):
        following.samples([[200.0**exponent] * 8] * N)
    assert {note.since_step for note in following.notes()} == {N + 1}
    for _ in range(2):
        following.samples([[200.0**2] * 8] * N)
    assert {note.since_step for note in following.notes()} == {N + 1}
    following.samples([[99.0] * 8] * N)
    following.samples([[99.0] * 8])
    assert following.notes() == []


def test_gradients_that_go_up_and_down_are_no_trend() -> None:
    """A spike among the samples before is as large as those of now."""
    following = Following()
    for norm in (1.0, 1.0, 1.0, 400.0, *[300.0] * N):
        following.sample([norm] * 8)
    assert following.notes() == []


def test_what_grows_from_next_to_nothing_is_healthy() -> None:
    """As behind a layer that begins with zeros: beside the weights it is small still."""
    following = Following()
    following.look([0.001] * 8)
    for factor in (1e-6, 1e-2):
        for _ in range(N):
            following.sample([factor] * 8)
    assert following.notes() == []


def test_gradients_far_larger_than_the_weights_are_told_without_growth() -> None:
    """Once that has lasted."""
    following = Following()
    following.look([0.001] * 8)
    for _ in range(N):
        assert following.notes() == []
        following.sample([1.0] * 4 + [3e4] * 4)
    (note,) = following.notes()
    assert note.cause == "exploding"
    assert "times as large as the weights" in str(note.detail)


def test_a_step_that_was_skipped_is_no_sample_of_a_trend() -> None:
    """AMP skips it for its infinities."""
    following = Following()
    for _ in range(N):
        following.sample([1.0] * 8)
    for _ in range(N):
        following.sample([1e6] * 8, skipped=True)
    assert following.notes() == []


def test_gradients_that_vanish_with_depth_are_told_of_both_ends() -> None:
    """Only where it lasts."""
    following = Following()
    for number in range(N):
        assert following.notes() == [], number
        following.sample([1e-9, 1e-6, 1e-3, 1.0] + [1.0] * 4)
    (note,) = following.notes()
    assert (note.name, note.since_step, note.cause) == ("0.weight", 1, "vanishing")
    assert "`3.weight`" in str(note.detail)
    following.sample([1.0] * 8)
    assert following.notes() == []


def test_a_trend_that_ends_among_samples_that_come_together_is_told_once() -> None:
    """And one that does not last in them is none."""
    following = Following()
    vanishing, healthy = [1e-9, 1e-6, 1e-3, 1.0] + [1.0] * 4, [1.0] * 8
    following.samples([vanishing] * (N - 1) + [healthy] + [vanishing] * (N - 1))
    assert following.notes() == []
    following.samples([vanishing, healthy])
    (note,) = following.notes()
    assert (note.since_step, note.cause) == (N + 1, "vanishing")
    following.samples([healthy])
    assert following.notes() == []


def test_a_layer_without_a_gradient_has_no_place_in_the_depth() -> None:
    """Neither end is it, in samples that come together."""
    following = Following()
    following.samples([[0.0, 1e-9, 1e-6, 1e-3] + [1.0] * 4] * N)
    assert following.notes() == []


@pytest.mark.parametrize(("ratio", "word"), [(1e-8, "below"), (0.5, "above")])
def test_steps_far_out_of_the_usual_range_are_told(ratio: float, word: str) -> None:
    """Large ones not in the first looks, when weights that begin with zeros take large steps."""
    following = Following()
    looks = N if ratio < 1e-4 else 2 * N
    for _ in range(looks):
        assert following.notes() == []
        following.look([0.001] * 4 + [ratio] * 4)
    (note,) = following.notes()
    assert (note.name, note.cause) == ("4.weight", "update_ratio")
    assert word in str(note.detail)


def test_a_schedule_that_has_come_down_is_no_trend() -> None:
    """Its small steps are meant; a look of a skipped step says nothing."""
    following = Following()
    for group in following.optimizer.param_groups:
        group["initial_lr"], group["lr"] = 0.1, 1e-5
    for _ in range(N):
        following.look([1e-8] * 8)
    following.optimizer.param_groups[0]["lr"] = 0.1
    for _ in range(N):
        following.look([1e-8] * 8, skipped=True)
    assert following.notes() == []


def test_what_is_left_of_a_momentum_is_no_step() -> None:
    """Where no gradient asks for one, as in batches in which every margin is met."""
    following = Following()
    for _ in range(2 * N):
        following.look([1e-8] * 8, state=State.ZERO)
    assert following.notes() == []


def test_limits_can_be_set() -> None:
    """What is a trend by one limit is none by another."""
    following = Following(exploding=1000.0)
    for factor in (1.0, 200.0):
        for _ in range(N):
            following.sample([factor] * 8)
    assert following.notes() == []


def dead(parameter: int, rows: int, of: int = 3, *, looks: int = N) -> DeadUnits:
    return DeadUnits(parameter, 9, 2, looks, of, rows, of, 0)


def test_units_without_a_gradient_are_counted() -> None:
    """The layer with most stands for its group; one that recovers is told of no more."""
    following = Following()
    following.trends.receive_dead_units(dead(2, 2, looks=N - 1))
    assert following.notes() == []
    following.trends.receive_dead_units(dead(1, 1))
    following.trends.receive_dead_units(dead(2, 2))
    (note,) = following.notes()
    assert (note.name, note.since_step, note.cause) == ("2.weight", 2, "dead_units")
    assert "2 of 3 output units" in str(note.detail)
    for parameter in (1, 2):
        following.trends.receive_dead_units(dead(parameter, 0))
    assert following.notes() == []


def test_rows_of_other_tables_are_no_units() -> None:
    """A word that did not come up is none, nor is a weight whose rows are its inputs."""
    following = Following()
    following.trends.receive_dead_units(dead(1, 2, of=4))
    following.trends.receive_dead_units(dead(1, 3))
    assert following.notes() == []
