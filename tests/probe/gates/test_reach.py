"""Who is upstream of a gate, also where a checkpoint hides it or a function makes zeros."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

from gradgate.probe.gates.reach import Reach
from gradgate.probe.model.table import ParameterTable
from tests.support import gating
from tests.support.gating import OPTIMIZERS, Branched, pair


class Checkpointed(nn.Module):
    """A checkpointed block whose inside, or whose output, is gated."""

    def __init__(
        self, reentrant: bool, wrapped: bool, place: gating.Place = gating.as_it_is, at: str = ""
    ) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.stem, self.block, self.head = nn.Linear(6, 4), Block(), nn.Linear(4, 3)
        self.reentrant, self.wrapped, self.at, self.place = reentrant, wrapped, at, place
        self.block.place = place if at == "inside" else gating.as_it_is

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        run: Callable[..., Any] = (lambda y: self.block(y)) if self.wrapped else self.block
        y = checkpoint(run, x, use_reentrant=self.reentrant)
        return self.head(x + (self.place(y) if self.at == "behind" else y))  # type: ignore[no-any-return]


class Block(nn.Module):
    """Two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 4)
        self.place = gating.as_it_is

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.two(torch.relu(self.place(self.one(x)))))


@pytest.mark.parametrize("wrapped", [False, True], ids=["module", "function"])
@pytest.mark.parametrize("at", ["inside", "behind"])
@pytest.mark.parametrize("reentrant", [False, True], ids=["non-reentrant", "reentrant"])
@pytest.mark.parametrize("how", ["block", "block-in-backward", "scale"])
def test_activation_checkpointing(reentrant: bool, at: str, wrapped: bool, how: str) -> None:
    """Inside a checkpoint or behind it, a gate does what it does without the checkpoint."""
    block = how != "scale"
    place = gating.cut if block else gating.scaled(-2.0)
    theirs, ours = Checkpointed(False, wrapped, place, at), Checkpointed(reentrant, wrapped)
    trained = pair(theirs, ours)
    options = {} if block else {"action": "scale", "factor": -2.0}
    options["when"] = gating.ALWAYS["in-backward" if how == "block-in-backward" else "in-forward"]
    site = "output:block.one" if at == "inside" else "output:block"
    with gating.attached(ours, trained[1][1]) as run:
        run.gate(site, **options)  # type: ignore[arg-type]
        for model, optimizer in trained:
            gating.train(model, optimizer, 5)
        assert gating.gradients(ours) == gating.gradients(theirs)
        if block:
            gated = "block.one.weight"
            assert gating.states(run)[gated] == "gated"
        assert gating.only_gate(run).closed_steps == 5
    assert gating.weights(ours) == gating.weights(theirs)


@pytest.mark.parametrize("wrapped", [False, True], ids=["module", "function"])
@pytest.mark.parametrize("reentrant", [False, True], ids=["non-reentrant", "reentrant"])
@pytest.mark.parametrize("when", gating.ALWAYS.values(), ids=gating.ALWAYS)
def test_a_checkpoint_upstream_of_a_gate(reentrant: bool, wrapped: bool, when: str) -> None:
    """What is checkpointed upstream of a closed gate gets nothing, and stays where it is."""

    class Above(nn.Module):
        def __init__(self, place: gating.Place = gating.as_it_is) -> None:
            super().__init__()
            torch.manual_seed(1)
            self.stem, self.block, self.over = nn.Linear(6, 4), Block(), nn.Linear(4, 4)
            self.head, self.place = nn.Linear(4, 3), place

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            run: Callable[..., Any] = (lambda y: self.block(y)) if wrapped else self.block
            y = self.over(checkpoint(run, x, use_reentrant=reentrant))
            return self.head(x + self.place(y))  # type: ignore[no-any-return]

    theirs, ours = Above(gating.cut), Above()
    trained = pair(theirs, ours)
    with gating.attached(ours, trained[1][1]) as run:
        run.gate("output:over", when)
        for model, optimizer in trained:
            gating.train(model, optimizer, 5)
        assert gating.gradients(ours) == gating.gradients(theirs)
        assert gating.weights(ours) == gating.weights(theirs)
        states = gating.states(run)
        gated = {name for name, state in states.items() if state == "gated"}
        assert gated == {n for n in states if n.startswith(("block", "over"))}


class _Halves(torch.autograd.Function):
    """Makes zeros of a missing gradient, as a custom function does unless it is told not to."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 0.5

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0] * 0.5


@pytest.mark.parametrize("set_to_none", [True, False], ids=["to-none", "to-zero"])
@pytest.mark.parametrize("when", gating.ALWAYS.values(), ids=gating.ALWAYS)
def test_a_custom_function_that_makes_zeros(set_to_none: bool, when: str) -> None:
    """Zeros that a custom function upstream makes of nothing are taken for the nothing they are."""

    class Custom(nn.Module):
        def __init__(self, place: gating.Place = gating.as_it_is) -> None:
            super().__init__()
            torch.manual_seed(1)
            self.stem, self.mid, self.head = nn.Linear(6, 4), nn.Linear(4, 4), nn.Linear(4, 3)
            self.place = place

        def forward(self, x: Tensor) -> Tensor:
            x = _Halves.apply(self.stem(x))  # type: ignore[no-untyped-call]
            return self.head(self.place(self.mid(x)))  # type: ignore[no-any-return]

    model = Custom()
    optimizer = OPTIMIZERS["adamw"](list(model.parameters()))
    with gating.attached(model, optimizer) as run:
        gating.train(model, optimizer, 3, set_to_none=set_to_none)
        run.gate("output:mid", when)
        before = gating.weights(model)
        gating.train(model, optimizer, 4, first=4, set_to_none=set_to_none)
        states = gating.states(run)
        after = gating.weights(model)
        for name, parameter in model.named_parameters():
            gated = not name.startswith("head")
            assert (parameter.grad is None, after[name] == before[name]) == (gated, gated)
            assert states[name] == ("gated" if gated else "present")


def test_the_graph_is_walked_now_and_then() -> None:
    """Who is upstream is looked up in sampled steps, and in every 20th beside them."""
    model = Branched()
    optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
    with gating.attached(model, optimizer, every=7) as run:
        gating.train(model, optimizer, 24)
        run.gate("output:encoder", "norm >= 0")
        (gate,) = gating.gates_at_work(run)
        wanted, looked = {25}, {25}
        for step in range(25, 46):
            if gating.parts(run).step.measurement.schedule.sampling or step == 40:
                wanted.add(step)
            gating.train(model, optimizer, 1, first=step)
            looked.add(gate.reach.step)
        assert looked == wanted
        assert 3 < len(wanted) < 12


def test_what_is_upstream() -> None:
    """Parameters are told from other leaves, and those behind a custom function are known."""
    model = nn.Linear(2, 2)
    table = ParameterTable({"": model})
    leaf = torch.ones(1, 2, requires_grad=True)
    reach = Reach(3)
    reach.add(torch.tanh(model(torch.ones(1, 2))), table, dict)
    assert (reach.indexes, reach.behind, reach.foreign, reach.hidden) == (
        {0, 1},
        set(),
        False,
        False,
    )
    assert list(reach.leaves(table)) == [model.weight, model.bias]
    reach.add(_Halves.apply(model(leaf)), table, dict)  # type: ignore[no-untyped-call]
    assert (reach.behind, reach.foreign) == ({0, 1}, True)
    assert list(reach.leaves(table)) == [model.weight, model.bias, None]


def test_what_stands_in_for_a_parameter_is_upstream_as_that() -> None:
    """In a functional call a module holds other tensors, and zeros may be made for those."""
    model, others = nn.Linear(2, 2), nn.Linear(2, 2)
    table, models = ParameterTable({"model": model}), {"model": model}
    found: list[Reach] = []

    def look(module: nn.Module, args: object, output: Tensor) -> None:
        found.append(Reach(1))
        found[-1].add(output, table, partial(table.stand_ins, models))

    model.register_forward_hook(look)
    functional_call(model, {"weight": others.weight}, torch.ones(1, 2))
    functional_call(model, dict(others.named_parameters()), torch.ones(1, 2, requires_grad=True))
    model(torch.ones(1, 2))
    assert [(reach.indexes, reach.behind, reach.foreign) for reach in found] == [
        ({0, 1}, {0}, False),
        ({0, 1}, {0, 1}, True),
        ({0, 1}, set(), False),
    ]
