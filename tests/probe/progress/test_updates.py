"""Which weights are suspect, and what is told of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from torch import nn
from torch.optim import SGD

from gradgate.probe import Alert, Thresholds
from gradgate.probe.base.states import State
from gradgate.probe.model.sample import GRAD_NORM
from gradgate.probe.model.table import ParameterTable
from gradgate.probe.progress.close_look import Look
from gradgate.probe.progress.close_verdicts import ACCUMULATED, PATIENCE
from gradgate.probe.progress.groups import Groups
from gradgate.probe.progress.learning_rates import LearningRates
from gradgate.probe.progress.rounding import UpdateSize
from gradgate.probe.progress.step_places import StepPlaces
from gradgate.probe.progress.updates import Updates
from tests.support.samples import sample

from .test_streaks import movement

GOOD, NONE = State.PRESENT, State.ABSENT
LARGE = UpdateSize(100.0, 0.0)
MOVED = Look(
    0, "SGD", True, "some", False, True, True, False, False, False, LARGE, LARGE, 0.0, False
)
STILL = replace(MOVED, moved=False)


class Following:
    """The weight and the bias of a layer, each in a group of its own."""

    def __init__(self) -> None:
        model = nn.Linear(2, 2)
        self.optimizer = SGD([{"params": [model.weight]}, {"params": [model.bias]}], lr=0.1)
        table = ParameterTable({"": model})
        self.wanted: list[int] = []
        self.commanded: set[int] = set()
        self.expected: set[int] = set()
        self.rates = LearningRates([self.optimizer])
        self.updates = Updates(
            table,
            Groups([self.optimizer], table),
            self.rates,
            StepPlaces(),
            Thresholds(warmup_steps=5, samples=3),
            look_closely=self.look_closely,
            commanded=lambda: self.commanded,
            expected=lambda: self.expected,
        )
        self.step = 0

    def look_closely(self, indexes: Iterable[int]) -> None:
        self.wanted = list(indexes)

    def looks(
        self,
        count: int,
        moved: str,
        *states: State,
        norm: float = np.nan,
        of_bias: float = 0.0,
    ) -> None:
        """Take in samples, and what was seen of the weights; ``norm``: of the weight's gradient."""
        for _ in range(count):
            self.step += 1
            self.rates.read(0, self.step)
            norms = np.array([norm, of_bias][: len(states)], np.float32)
            values = {} if np.isnan(norm) else {GRAD_NORM: norms}
            self.updates.receive([replace(sample(self.step, *states), values=values)])
            self.updates.receive_movement(movement(self.step, self.step - 1, moved))

    def told(self, *, last: bool = False) -> list[Alert]:
        return list(self.updates.find(last=last))

    def details(self) -> str:
        return " ".join(str(alert.detail) for alert in self.told())


def test_a_suspect_is_looked_at_before_anything_is_told() -> None:
    """Once it has stayed for some looks; one that is seen to move is left alone for a while."""
    following = Following()
    following.looks(PATIENCE, "ny", GOOD, GOOD)
    assert 0 in following.wanted
    assert following.told() == []
    following.updates.receive_looks([MOVED])
    waits = []
    for _ in range(6):
        following.looks(1, "ny", GOOD, GOOD)
        waits.append(following.wanted.count(0))
        if following.wanted[:1] == [0]:
            following.updates.receive_looks([MOVED])
    assert waits.count(0) >= 2


def test_what_moves_again_is_told_of_no_more() -> None:
    """By the next look that sees it."""
    following = Following()
    following.looks(ACCUMULATED + 1, "ny", GOOD, GOOD)
    following.updates.receive_looks([replace(STILL, written=False)])
    (alert,) = following.told()
    assert (alert.name, alert.cause, alert.level) == ("weight", "not_moving", "alert")
    assert alert.since_step == 0
    following.looks(1, "yy", GOOD, GOOD)
    assert following.told() == []


def test_a_step_that_may_gather_gradients_first_is_waited_for() -> None:
    """Some optimizers write once in several steps."""
    following = Following()
    following.looks(PATIENCE, "ny", GOOD, GOOD)
    following.updates.receive_looks([replace(STILL, written=False)])
    assert following.told() == []


@pytest.mark.parametrize(
    ("narrow", "wide", "says", "level"),
    [
        (0.5, 50.0, "spacing of float32", "alert"),
        (0.5, 0.5, "so small", "note"),
        (5.0, 50.0, "leaves every bit", "note"),
    ],
)
def test_why_it_stays_is_told_by_the_size_of_its_updates(
    narrow: float, wide: float, says: str, level: str
) -> None:
    """Too small for its type, for any type, or for neither."""
    following = Following()
    for norm in (1.0, 2.0, 3.0):
        following.looks(1, "ny", GOOD, GOOD, norm=norm)
    look = replace(STILL, size=UpdateSize(narrow, 1), size_in_float32=UpdateSize(wide, 0))
    following.updates.receive_looks([look])
    (alert,) = following.told()
    assert says in str(alert.detail)
    assert alert.level == level


def test_a_rate_of_0_is_an_alert_where_all_rest_or_something_is_expected() -> None:
    """For a part it is a way to freeze."""
    following = Following()
    following.optimizer.param_groups[0]["lr"] = 0.0
    following.looks(PATIENCE, "ny", GOOD, GOOD)
    (note,) = following.told()
    assert (note.level, note.name, note.since_step) == ("note", "weight", 1)
    assert following.wanted in ([], [1])
    following.expected.add(0)
    following.looks(1, "ny", GOOD, GOOD)
    assert [alert.level for alert in following.told()] == ["alert"]
    following.expected.clear()
    following.optimizer.param_groups[1]["lr"] = 0.0
    following.looks(PATIENCE, "nn", GOOD, GOOD)
    assert [alert.level for alert in following.told()] == ["alert", "alert"]


def test_the_end_of_a_run_is_reason_enough_to_tell_of_a_rate_of_0() -> None:
    """A test of few steps has one look."""
    following = Following()
    for group in following.optimizer.param_groups:
        group["lr"] = 0.0
    following.looks(1, "nn", GOOD, GOOD)
    assert following.told() == []
    assert [alert.level for alert in following.told(last=True)] == ["alert", "alert"]


def test_a_schedule_at_0_is_a_note_until_its_warm_up_has_lasted_too_long() -> None:
    """One that has come down to 0 stays a note."""
    following = Following()
    for group in following.optimizer.param_groups:
        group["lr"], group["initial_lr"] = 0.0, 0.1
    following.looks(5, "nn", GOOD, GOOD)
    assert {alert.level for alert in following.told()} == {"note"}
    assert "since the first step" in following.details()
    following.looks(1, "nn", GOOD, GOOD)
    assert {alert.level for alert in following.told()} == {"alert"}

    following = Following()
    following.looks(1, "yy", GOOD, GOOD)
    for group in following.optimizer.param_groups:
        group["lr"], group["initial_lr"] = 0.0, 0.1
    following.looks(20, "nn", GOOD, GOOD)
    assert {alert.level for alert in following.told()} == {"note"}
    assert "since step 2" in following.details()


def test_notes_of_one_kind_are_one_for_a_group() -> None:
    """With how many more there are, and which."""
    following = Following()
    (weight, bias) = (group["params"][0] for group in following.optimizer.param_groups)
    following.optimizer.param_groups[0]["params"] = [weight, bias]
    following.optimizer.param_groups[1]["params"] = []
    following.optimizer.param_groups[0]["initial_lr"] = 0.1
    following.optimizer.param_groups[0]["lr"] = 0.0
    following.looks(PATIENCE, "nn", GOOD, GOOD)
    (note,) = following.told()
    assert str(note.detail).endswith("The same holds for 1 more.")
    assert (note.parameter, note.others) == (0, (1,))


def test_what_a_command_froze_is_nobodys_trouble() -> None:
    """Whether it stays or moves: its command says so."""
    following = Following()
    following.looks(PATIENCE, "ny", GOOD, GOOD)
    following.commanded.add(0)
    following.looks(1, "ny", GOOD, GOOD)
    assert 0 not in following.wanted
    assert following.told() == []


IDLE = replace(MOVED, trainable=False, gradient="zeros")


@pytest.mark.parametrize(
    ("look", "says", "level"),
    [
        (replace(IDLE, decay=0.01), "weight decay of 0.01", "alert"),
        (replace(IDLE, remembers=True), "momentum", "alert"),
        (replace(IDLE, gradient="some"), "applied again", "alert"),
        (replace(IDLE, trainable=True, decay=0.01), "all zeros", "note"),
        (replace(MOVED, untouched=True), "no new gradient", "alert"),
        (replace(IDLE, gradient="none", moved=False, moved_after=True), "the script", "note"),
    ],
)
def test_who_moves_an_idle_weight_is_told(look: Look, says: str, level: str) -> None:
    """What of the optimizer does, or the script."""
    following = Following()
    following.looks(PATIENCE, "yy", NONE, GOOD)
    assert 0 in following.wanted
    following.updates.receive_looks([look])
    (alert,) = following.told()
    assert (alert.cause, alert.level) == ("moved_without_gradient", level)
    assert says in str(alert.detail)
    following.looks(1, "yy", GOOD, GOOD)
    assert following.told() == []


def test_an_idle_weight_that_the_step_looked_at_leaves_alone_is_cleared() -> None:
    """Its gradient comes in steps that are not sampled."""
    following = Following()
    following.looks(PATIENCE, "yy", NONE, GOOD)
    following.updates.receive_looks([replace(IDLE, gradient="none", moved=False)])
    assert following.told() == []


def test_a_weight_that_is_put_back_is_found_though_each_look_sees_it_move() -> None:
    """Some are checked now and then; two checks have to agree, and the next may disagree."""
    following = Following()
    following.looks(1, "yy", GOOD, GOOD)
    assert following.wanted == [0, 1]
    following.updates.receive_looks([replace(MOVED, put_back=True)])
    assert following.told() == []
    following.looks(2, "yy", GOOD, GOOD)
    assert following.wanted == [0, 1], "what was found is looked at again"
    following.updates.receive_looks([replace(MOVED, put_back=True)])
    (alert,) = following.told()
    assert alert.level == "alert"
    assert "puts the old bits back" in str(alert.detail)
    following.looks(1, "yy", GOOD, GOOD)
    assert len(following.told()) == 1
    following.updates.receive_looks([MOVED])
    assert following.told() == []


def test_a_step_that_most_elements_do_not_take_up_is_a_note() -> None:
    """Where float32 would; not where the updates are small for any type."""
    following = Following()
    following.looks(1, "yy", GOOD, GOOD)
    lost = replace(MOVED, size=UpdateSize(9.0, 0.9))
    following.updates.receive_looks([replace(lost, size_in_float32=UpdateSize(9.0, 0.9))])
    assert following.told() == []
    following.updates.receive_looks([lost])
    (note,) = following.told()
    assert note.level == "note"
    assert "90% of the elements" in str(note.detail)


@pytest.mark.parametrize(("norm", "level"), [(1e-9, "alert"), (1.0, "note")])
def test_clipping_is_blamed_only_where_less_of_it_would_help(norm: float, level: str) -> None:
    """All gradients have one norm in each step, as in every job that clips by norm."""
    following = Following()
    for _ in range(3):
        following.looks(1, "ny", GOOD, GOOD, norm=norm)
    small = UpdateSize(1e-4, 1)
    following.updates.receive_looks([replace(STILL, size=small, size_in_float32=small)])
    (told,) = following.told()
    assert told.level == level
    assert ("clipped" in str(told.detail)) is (level == "alert")


@pytest.mark.parametrize(("norm", "is_clipped"), [(1e-9, True), (2e-9, False)])
def test_norms_of_samples_that_come_together_count_each(norm: float, is_clipped: bool) -> None:
    """Whether all of the latest are alike shows in those before the last, too."""
    following = Following()
    following.looks(1, "ny", GOOD, GOOD, norm=1e-9)
    following.updates.receive(
        [
            replace(sample(step, GOOD, GOOD), values={GRAD_NORM: np.array([each, 0], np.float32)})
            for step, each in ((2, norm), (3, 1e-9))
        ]
    )
    small = UpdateSize(1e-4, 1)
    following.updates.receive_looks([replace(STILL, size=small, size_in_float32=small)])
    (told,) = following.told()
    assert ("clipped" in str(told.detail)) is is_clipped


@pytest.mark.parametrize(
    ("norm", "is_told"), [(1e-6, False), (1e-4, True)], ids=["rounding", "small"]
)
def test_a_bias_without_effect_is_explained_and_not_told_of(norm: float, is_told: bool) -> None:
    """Its gradient is rounding beside that of its weight, as before a normalisation."""
    following = Following()
    following.looks(3, "yn", GOOD, GOOD, norm=0.1, of_bias=0.1 * norm)
    small = UpdateSize(0.5, 0.0)
    following.updates.receive_looks([replace(STILL, index=1, size=small, size_in_float32=small)])
    assert bool(following.told()) is is_told
    finding = following.updates.finding(1)
    assert finding is not None
    assert ("no effect" in finding.detail) is not is_told


def test_a_gradient_that_came_in_the_very_step_is_not_old() -> None:
    """Though it had none in the samples before, as a generator has in steps of its critic."""
    following = Following()
    following.looks(PATIENCE, "yy", NONE, GOOD)
    following.updates.receive_looks([MOVED])
    assert following.told() == []


def test_what_a_bound_holds_is_a_note() -> None:
    """A clamp puts it back, as may be meant."""
    following = Following()
    following.looks(1, "yy", GOOD, GOOD)
    for _ in range(2):
        following.updates.receive_looks([replace(MOVED, put_back=True, outward=True)])
    (note,) = following.told()
    assert note.level == "note"
    assert "at the ends of a range" in str(note.detail)
