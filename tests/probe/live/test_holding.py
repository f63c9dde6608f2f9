"""Optimizers that hold none of what they were made for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import nn
from torch.optim import SGD, Optimizer

from gradgate.probe.base.states import State
from gradgate.probe.live.alerts import Alert
from gradgate.probe.live.holding import STILL, Holding
from gradgate.probe.model.changes import ModelChanges
from gradgate.probe.model.membership import Membership
from gradgate.probe.model.table import ParameterTable
from tests.support.samples import sample


class Watched:
    """Two layers without bias, and what some optimizers hold."""

    def __init__(self, *optimizers: Optimizer, model: nn.Module | None = None) -> None:
        self.model = model or layers()
        models = {"": self.model}
        table = ParameterTable(models)
        changes = ModelChanges(models, table, step=lambda: 1)
        members = Membership(table, optimizers, changes, changed=lambda _: None)
        self.frozen: list[int] = []
        self.holding = Holding(table, members, optimizers, lambda: self.frozen)
        self.step = 0

    def receive(self, *states: State, times: int = 1) -> list[Alert]:
        """Take in samples, by default of two healthy parameters; return what is told then."""
        for _ in range(times):
            self.step += 1
            self.holding.receive(sample(self.step, *(states or [State.PRESENT] * 2)))
        return list(self.holding.find(last=False))


def layers() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3, bias=False), nn.Linear(3, 1, bias=False))


def test_it_is_told_once_the_weights_have_stayed_as_they_were() -> None:
    """Until then nobody knows; and what is loose is known only then."""
    watched = Watched(SGD(layers().parameters(), lr=0.1))
    assert watched.receive(times=STILL) == []
    assert not watched.holding.is_loose(0)
    (alert,) = watched.receive()
    assert (alert.parameter, alert.since_step, alert.cause) == (None, 1, "not_in_optimizer")
    assert watched.holding.is_loose(0)


def test_weights_that_move_are_trained_by_somebody() -> None:
    """For good: that they stand still for a while then says nothing."""
    watched = Watched(SGD(layers().parameters(), lr=0.1))
    watched.receive(times=STILL)
    watched.model[0].weight.data[0, 0] += 1  # type: ignore[index, operator, union-attr]
    assert watched.receive(times=STILL + 2) == []
    assert not watched.holding.is_loose(0)


def test_weights_that_cannot_be_read_tell_nothing() -> None:
    """On the meta device they have no bits that could stay."""
    watched = Watched(SGD(layers().parameters(), lr=0.1), model=layers().to("meta"))
    assert watched.receive(times=STILL + 1) == []


def test_where_something_is_held_the_rest_is_loose() -> None:
    """It is told of parameters that are expected to train, not of the whole run."""
    model = layers()
    watched = Watched(SGD(model[:1].parameters(), lr=0.1), model=model)
    assert watched.receive(times=STILL + 1) == []
    assert [watched.holding.is_loose(index) for index in (0, 1)] == [False, True]


def test_without_an_optimizer_nothing_is_known() -> None:
    """The script may do anything by hand."""
    watched = Watched()
    assert watched.receive(times=STILL + 1) == []
    assert not watched.holding.is_loose(0)


def test_what_a_command_froze_would_train() -> None:
    """So an optimizer of it holds something, and a skipped step says nothing of either."""
    model = layers()
    watched = Watched(SGD(model[:1].parameters(), lr=0.1), model=model)
    watched.frozen = [0]
    assert watched.receive(State.FROZEN, State.PRESENT, times=STILL + 1) == []
    watched.frozen = []
    assert len(watched.receive(State.FROZEN, State.PRESENT, times=STILL + 1)) == 1


def test_a_tensor_with_a_gradient_is_what_an_optimizer_was_made_for() -> None:
    """It trains that: a prompt, say, through a model that stays as it is."""
    others = layers()
    others(torch.ones(1, 2)).sum().backward()
    assert Watched(SGD(others.parameters(), lr=0.1)).receive(times=STILL + 1) == []


@pytest.mark.parametrize(
    ("stray", "told"), [([(3, 2), (1, 3)], True), ([(3, 2)], False), ([(3, 2), (9, 9)], False)]
)
def test_one_of_several_has_to_look_like_what_nobody_holds(
    stray: Sequence[tuple[int, int]], told: bool
) -> None:
    """All of its tensors, of which a single one says too little."""
    held, model = nn.Linear(2, 2, bias=False), layers()
    optimizers = [
        SGD(held.parameters(), lr=0.1),
        SGD([torch.zeros(shape, requires_grad=True) for shape in stray], lr=0.1),
    ]
    watched = Watched(*optimizers, model=nn.ModuleList([held, *model]))
    assert bool(watched.receive(*[State.PRESENT] * 3, times=STILL + 1)) == told


def test_it_says_what_is_held_instead() -> None:
    """Others, what is frozen, or nothing."""
    frozen = layers()
    frozen[0].requires_grad_(False)
    for optimizer, model, words in (
        (SGD(layers().parameters(), lr=0.1), layers(), "its 2 tensors are others"),
        (SGD(frozen[:1].parameters(), lr=0.1), frozen, "all that it holds of the model, 1 param"),
        (SGD([{"params": []}], lr=0.1), layers(), "it is empty"),
    ):
        watched = Watched(optimizer, model=model)
        state = State.PRESENT if model[0].weight.requires_grad else State.FROZEN
        (alert,) = watched.receive(state, State.PRESENT, times=STILL + 1)
        assert alert.detail is not None
        assert words in alert.detail
        assert "The optimizer (SGD) holds none of the parameters that ought to" in alert.detail
