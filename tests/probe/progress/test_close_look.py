"""A close look at one step of a few parameters."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

from gradgate.probe.measure.look_budget import LookBudget
from gradgate.probe.measure.write_tracker import WriteTracker
from gradgate.probe.model.table import ParameterTable
from gradgate.probe.progress.close_look import CloseLook, Look, gradient_of
from gradgate.probe.progress.groups import Groups
from tests.support.sharded import Sharded, asked_of_wholes


class Watched:
    """A layer whose steps are looked at as a run does."""

    def __init__(self, optimizer: Callable[[nn.Module], SGD] | None = None) -> None:
        self.model = nn.Linear(2, 2)
        self.x = torch.ones(1, 2)
        make = optimizer or (lambda model: SGD(model.parameters(), lr=0.1))
        self.optimizer = make(self.model)
        table = ParameterTable({"": self.model})
        groups = Groups([self.optimizer], table)
        writes = WriteTracker(table.parameters)
        self.retire = lambda: writes.retire([0, 1], mark=True)
        self.budget = LookBudget(1.0)
        self.close = CloseLook(
            [self.optimizer], table, groups, lambda k: [0, 1], writes.untouched, self.budget
        )

    def step(self, between: Callable[[], object] = lambda: None) -> list[Look]:
        """Make a step, which may be looked at, and what comes after it; return what was seen."""
        self.model(self.x).sum().backward()
        self.close.plan()
        looks = self.close.before_step(0)
        self.optimizer.step()
        self.close.stepped(0)
        self.optimizer.zero_grad()
        between()
        return looks

    def look(self, between: Callable[[], object] = lambda: None) -> Look:
        """Look at the weight in one step, and at what comes after it."""
        self.close.want([0])
        assert self.step(between) == []
        (look,) = self.step()
        assert not self.close.active
        return look


def test_a_step_that_moves_a_weight_is_seen_to() -> None:
    """Written, moved, and left alone afterwards."""
    look = Watched().look()
    assert look.trainable
    assert look.gradient == "some"
    assert look.written
    assert look.moved
    assert not look.moved_after
    assert not look.put_back
    assert look.size is None, "float32 loses nothing that another type would take up"


def test_a_step_that_moves_a_narrow_weight_is_sized() -> None:
    """What of it was rounded away is told beside what float32 would have taken up."""
    watched = Watched()
    watched.model.bfloat16()
    watched.x = watched.x.bfloat16()
    look = watched.look()
    assert look.moved
    assert look.size is not None
    assert look.size_in_float32 is not None
    assert look.size.largest < look.size_in_float32.largest


def test_a_look_that_is_too_dear_waits() -> None:
    """It comes at the next occasion at which cost does not count; one that has begun is ended."""
    watched = Watched()
    watched.close.want([0])
    watched.step()
    watched.budget.take(1e9)
    assert len(watched.step()) == 1
    for _ in range(2, 9):
        watched.budget.affords()
    watched.close.want([0])
    for _ in range(9, 17):
        assert watched.step() == []
    assert len(watched.step()) == 1


def test_what_is_wanted_in_the_midst_of_a_lull_waits_for_a_plan() -> None:
    """The steps until then were planned with nobody looking: the half of a look tells nothing."""
    watched = Watched()
    watched.close.want([0])
    assert not watched.close.active
    assert watched.close.before_step(0) == []
    assert not watched.close.active
    watched.close.plan()
    assert watched.close.active
    assert watched.close.before_step(0) == []
    watched.close.stepped(0)
    assert len(watched.close.before_step(0)) == 1
    assert not watched.close.active, "no plan has come since, and there is nothing left to look at"


def test_a_large_weight_is_looked_at_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the looks that come in turn; the others wait to be asked for again."""
    monkeypatch.setattr("gradgate.probe.measure.turns.MOST_ELEMENTS", 4)
    watched = Watched()
    watched.close.want([0, 1])
    watched.step()
    assert [look.index for look in watched.step()] == [0]
    watched.close.want([1])
    watched.step()
    assert [look.index for look in watched.step()] == [1]


def test_what_the_script_puts_back_is_told_from_what_it_changes() -> None:
    """By all bits, since .data is not counted as a write."""
    watched = Watched()
    before = watched.model.weight.detach().clone()
    look = watched.look(lambda: watched.model.weight.data.copy_(before))
    assert look.put_back
    assert look.moved_after
    watched = Watched()
    look = watched.look(lambda: watched.model.weight.data.add_(1))
    assert look.moved_after
    assert not look.put_back


def test_a_step_that_writes_nothing_is_told_from_one_that_is_rounded_away() -> None:
    """The count of writes tells."""
    watched = Watched(lambda model: SGD([model.weight, model.bias], lr=0.0))
    look = watched.look()
    assert (look.written, look.moved, look.put_back) == (True, False, False)
    watched.optimizer.step = lambda: None  # type: ignore[method-assign, assignment, misc]
    assert (watched.look().written, watched.look().moved) == (False, False)


@pytest.mark.parametrize(("value", "gradient"), [(None, "none"), (0.0, "zeros"), (2.0, "some")])
def test_the_gradient_that_the_step_used_is_told(value: float | None, gradient: str) -> None:
    """As it was after the step, which a closure may have filled."""
    watched = Watched()
    watched.model.weight.requires_grad_(False)
    watched.close.want([0])
    if value is not None:
        watched.model.weight.grad = torch.full((2, 2), value)
    watched.step()
    (look,) = watched.step()
    assert (look.gradient, look.trainable) == (gradient, False)


def test_what_moves_a_weight_besides_its_gradient_is_told() -> None:
    """The decay of its group, and a memory of its own."""
    make = lambda m: SGD(m.parameters(), lr=0.1, momentum=0.9, weight_decay=0.2)  # noqa: E731
    look = Watched(make).look()
    assert (look.decay, look.remembers) == (0.2, True)
    look = Watched().look()
    assert (look.decay, look.remembers) == (0.0, False)


def test_a_step_that_raised_is_not_looked_at() -> None:
    """The next look begins anew."""
    watched = Watched()
    watched.close.want([0, 1])
    assert watched.close.before_step(0) == []
    assert watched.close.before_step(0) == [], "the step did not come to its end"


@pytest.mark.parametrize(
    ("between", "start", "outward"),
    [
        (lambda weight: weight.clamp_(0.1, 0.9), lambda weight: weight.fill_(0.1), True),
        (lambda weight: weight.fill_(0.1), lambda weight: weight.fill_(0.1), True),
        (nn.init.eye_, nn.init.eye_, False),
        (lambda weight: weight.copy_(torch.eye(2) + 1), lambda weight: weight.fill_(5), False),
        (lambda weight: weight.copy_(torch.arange(4.0).view(2, 2)), nn.init.zeros_, False),
    ],
    ids=["clamp", "fill", "eye", "copy", "arange"],
)
def test_what_a_range_holds_is_told_from_what_is_put_back(
    between: Callable[[Tensor], object], start: Callable[[Tensor], object], outward: bool
) -> None:
    """It is at the ends of that, and each step moves it outwards: here all of it, downwards."""
    watched = Watched()
    weight = watched.model.weight.data
    start(weight)
    watched.step(lambda: between(weight))
    look = watched.look(lambda: between(weight))
    assert (look.put_back, look.outward) == (True, outward)


def test_one_value_from_which_elements_move_to_both_sides_is_no_end() -> None:
    """As zeros that are written again after each step."""
    watched = Watched()
    watched.x = torch.tensor([[1.0, -1.0]])
    weight = watched.model.weight.data
    weight.zero_()
    watched.step(weight.zero_)
    look = watched.look(weight.zero_)
    assert (look.put_back, look.outward) == (True, False)


def test_an_old_gradient_is_told_from_one_that_was_written_by_hand() -> None:
    """By PyTorch's count of writes since a step has used it."""
    watched = Watched()
    weight = watched.model.weight
    weight.grad = torch.ones_like(weight)
    watched.retire()
    for factor, untouched in ((None, True), (2.0, False)):
        if factor is not None:
            weight.grad *= factor
        watched.close.want([0])
        watched.close.plan()
        watched.close.before_step(0)
        watched.close.stepped(0)
        (look,) = watched.close.before_step(0)
        assert look.untouched is untouched


@pytest.mark.parametrize(("value", "gradient"), [(0.0, "zeros"), (2.0, "some")])
def test_of_a_sharded_gradient_the_own_part_is_looked_at(value: float, gradient: str) -> None:
    """To ask for the whole could be a collective, which no other rank takes part in."""
    with asked_of_wholes() as asked:
        assert gradient_of(Sharded(torch.full((2, 2), value))) == gradient
    assert asked == []
