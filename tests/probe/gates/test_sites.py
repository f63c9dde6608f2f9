"""Gates on what modules take and return, in whatever they wrap it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from gradgate import probe
from tests.support import gating
from tests.support.gating import both

Wrap = Callable[[Tensor, Tensor], Any]
Unwrap = Callable[[Any], Tensor]


@dataclass
class Plain:
    """A dataclass."""

    first: Tensor
    second: Tensor


@dataclass(frozen=True)
class Frozen:
    """One that cannot be set."""

    first: Tensor
    second: Tensor


@dataclass
class Slotted:
    """One without a dictionary."""

    __slots__ = ("first", "second")
    first: Tensor
    second: Tensor


@dataclass
class Deep:
    """Tensors three deep."""

    inner: dict[str, list[Plain]]


class Named(NamedTuple):
    """A named tuple."""

    first: Tensor
    second: Tensor


class Loose:
    """An object that nobody registered."""

    def __init__(self, first: Tensor, second: Tensor) -> None:
        self.held = [first, second]


STRUCTURES: dict[str, tuple[Wrap, Unwrap]] = {
    "tuple": (lambda a, b: (a, b), lambda s: s[0] + s[1]),
    "list": (lambda a, b: [a, b], lambda s: s[0] + s[1]),
    "dict": (lambda a, b: {"a": a, "b": b}, lambda s: s["a"] + s["b"]),
    "nested": (lambda a, b: ([{"a": a}], (b, None, 3)), lambda s: s[0][0]["a"] + s[1][0]),
    "namedtuple": (Named, lambda s: s.first + s.second),
    "dataclass": (Plain, lambda s: s.first + s.second),
    "frozen-dataclass": (Frozen, lambda s: s.first + s.second),
    "slotted-dataclass": (Slotted, lambda s: s.first + s.second),
    "deep": (
        lambda a, b: Deep({"x": [Plain(a, b)]}),
        lambda s: s.inner["x"][0].first + s.inner["x"][0].second,
    ),
    "object": (Loose, lambda s: s.held[0] + s.held[1]),
    "with-integers": (
        lambda a, b: (a, b, torch.arange(3), a.detach()),
        lambda s: s[0] + s[1] + s[2].sum() + s[3],
    ),
}


class Wrapping(nn.Module):
    """Gives a structure to ``taker``, which uses it in place of the tensors; one from ``giver``."""

    def __init__(self, wrap: Wrap, unwrap: Unwrap, by_hand: gating.Place, at: str) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.giver = Giver(wrap, by_hand if at == "output" else gating.as_it_is)
        self.taker = Taker(unwrap)
        self.wrap, self.unwrap = wrap, unwrap
        self.by_hand = by_hand if at == "input" else gating.as_it_is

    def forward(self, x: Tensor) -> Tensor:
        given = self.giver(x)
        if self.by_hand is gating.as_it_is:
            taken = self.taker(given)
        else:
            half = self.unwrap(given)  # the sum, of which each half carries the gradient
            taken = self.taker(self.wrap(self.by_hand(half), torch.zeros_like(half)))
        return taken + self.unwrap(given)  # type: ignore[no-any-return]


class Giver(nn.Module):
    """Returns a structure."""

    def __init__(self, wrap: Wrap, by_hand: gating.Place) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(6, 3), nn.Linear(6, 3)
        self.wrap, self.by_hand = wrap, by_hand

    def forward(self, x: Tensor) -> Any:
        return self.wrap(self.by_hand(self.one(x)), self.by_hand(self.two(x)))


class Taker(nn.Module):
    """Is given a structure."""

    def __init__(self, unwrap: Unwrap) -> None:
        super().__init__()
        self.linear, self.unwrap = nn.Linear(3, 3), unwrap

    def forward(self, given: Any) -> Tensor:
        return self.linear(self.unwrap(given))  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", list(STRUCTURES))
def test_every_tensor_that_a_module_returns_is_gated(name: str) -> None:
    """Whatever wraps what a module returns, each tensor in it is gated."""
    for place, gate in (
        *((gating.cut, {"when": when}) for when in gating.ALWAYS.values()),
        (gating.scaled(-2.0), {"action": "scale", "factor": -2.0}),
    ):
        ours = Wrapping(*STRUCTURES[name], gating.as_it_is, "")
        theirs = Wrapping(*STRUCTURES[name], place, "output")
        (info,) = both(ours, theirs, "output:giver", **gate)
        assert info.closed_steps == 3


@pytest.mark.parametrize("name", [name for name in STRUCTURES if name != "with-integers"])
def test_an_input_gate_leaves_other_users_of_a_structure_alone(name: str) -> None:
    """What a module is given is gated for it alone: the caller's structure is untouched."""
    for place, gate in (
        (gating.cut, {}),
        (gating.scaled(-2.0), {"action": "scale", "factor": -2.0}),
    ):
        ours = Wrapping(*STRUCTURES[name], gating.as_it_is, "").double()
        theirs = Wrapping(*STRUCTURES[name], place, "input").double()
        with gating.attached(ours) as run:
            run.gate("input:taker", **gate)
            gating.loss_of(ours, 1).backward()
            run.step()
        gating.loss_of(theirs, 1).backward()
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(mine.grad, other.grad, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", list(STRUCTURES))
def test_a_label_takes_any_structure(name: str) -> None:
    """A label gates every tensor in a structure, and leaves the one it was given as it was."""
    wrap, unwrap = STRUCTURES[name]
    a, b = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    given = wrap(a * 2, b * 3)
    run = probe.attach(nn.Identity(), server=False)
    assert probe.site(given, "it") is given
    run.gate("site:it", action="scale", factor=5.0)
    passed = probe.site(given, "it")
    (unwrap(passed) + unwrap(given)).sum().backward()
    run.detach()
    assert a.grad is not None
    assert b.grad is not None
    assert a.grad.tolist() == [12.0] * 3
    assert b.grad.tolist() == [18.0] * 3


def test_a_list_that_a_module_fills_stays_the_callers_own() -> None:
    """A module that appends to a list that it was given does so with an input gate, too."""

    class Appends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 3)

        def forward(self, x: Tensor, *, seen: list[Tensor]) -> Tensor:
            seen.append(x)
            return self.linear(x)  # type: ignore[no-any-return]

    model = Appends()
    with gating.attached(model) as run:
        run.gate("input:")
        seen: list[Tensor] = []
        model(torch.ones(2, 3, requires_grad=True), seen=seen)
        assert len(seen) == 1


class Twice(nn.Module):
    """Calls one module three times in a forward."""

    def __init__(self, place: gating.Place = gating.as_it_is) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.head = nn.Linear(6, 6), nn.Linear(6, 3)
        self.place = place

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(3):
            x = torch.tanh(self.place(self.inner(x)))
        return self.head(x)  # type: ignore[no-any-return]


def test_a_module_called_several_times() -> None:
    """Every call of a module is gated."""
    (info,) = both(Twice(), Twice(gating.scaled(0.5)), "output:inner", action="scale", factor=0.5)
    assert (info.steps, info.closed_steps) == (3, 3)
    (info,) = both(Twice(), Twice(gating.cut), "output:inner")
    assert info.parameters == ("inner.weight", "inner.bias")


class Residual(nn.Module):
    """A branch beside a module."""

    def __init__(self, place: gating.Place = gating.as_it_is) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.body, self.head = nn.Linear(6, 4), nn.Linear(4, 4), nn.Linear(4, 3)
        self.place = place

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(x + self.body(self.place(x)))  # type: ignore[no-any-return]


def test_an_input_gate_leaves_the_residual_branch_alone() -> None:
    """With `x + f(x)`, a gate on the input of f blocks what flows through f only."""
    both(Residual(), Residual(gating.cut), "input:body")
    both(Residual(), Residual(gating.scaled(-1.0)), "input:body", action="scale", factor=-1.0)


def test_an_identity_module_is_gated_for_its_users_alone() -> None:
    """A module that returns its input gates what comes through it, not the input's other users."""

    class Through(nn.Module):
        def __init__(self, place: gating.Place = gating.as_it_is) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.stem, self.same, self.head = nn.Linear(6, 4), nn.Identity(), nn.Linear(4, 3)
            self.place = place

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            return self.head(self.place(self.same(x)) + torch.tanh(x))  # type: ignore[no-any-return]

    both(Through(), Through(gating.cut), "output:same")
    both(Through(), Through(gating.scaled(3.0)), "output:same", action="scale", factor=3.0)


def test_one_output_of_many() -> None:
    """Of a node with several outputs each is gated; pieces of one tensor are."""

    class Pieces(nn.Module):
        def __init__(self, place: gating.Place = gating.as_it_is) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.cutter, self.head = Cutter(place), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            one, two, norm = self.cutter(x)
            return self.head(torch.cat([two, one], 1) / norm)  # type: ignore[no-any-return]

    class Cutter(nn.Module):
        def __init__(self, place: gating.Place) -> None:
            super().__init__()
            self.linear, self.place = nn.Linear(6, 6), place

        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            x = self.linear(x)
            one, two = x.chunk(2, 1)
            return self.place(one), self.place(two), self.place(x.norm())

    both(Pieces(), Pieces(gating.cut), "output:cutter")
    both(Pieces(), Pieces(gating.scaled(2.0)), "output:cutter", action="scale", factor=2.0)


def test_copies_of_a_gated_model_are_not_gated() -> None:
    """A deep copy and a pickle of a gated model train by themselves, as if never gated."""
    model = gating.Branched()
    optimizer = gating.OPTIMIZERS["sgd"](list(model.parameters()))
    with gating.attached(model, optimizer) as run:
        for site in ("output:encoder", "input:encoder", "param:head.weight"):
            run.gate(site)
        gating.train(model, optimizer, 2)
        copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
        reference = gating.Branched()
        reference.load_state_dict(model.state_dict())
        gating.loss_of(reference, 5).backward()
        for each in copies:
            each.zero_grad()
            gating.loss_of(each, 5).backward()
            assert gating.gradients(each) == gating.gradients(reference)
        assert [gate.steps for gate in run.gates()] == [2, 0, 2]


def test_validation_between_steps_changes_nothing() -> None:
    """A forward without gradients, in eval mode, is no arrival and holds on to nothing."""
    model = gating.Branched()
    optimizer = gating.OPTIMIZERS["sgd"](list(model.parameters()))
    reference = gating.Branched(gating.cut, "output")
    by_hand = gating.OPTIMIZERS["sgd"](list(reference.parameters()))
    with gating.attached(model, optimizer) as run:
        run.gate("output:encoder")
        for step in range(1, 4):
            gating.train(model, optimizer, 1, first=step)
            model.eval()
            with torch.no_grad():
                found = gating.loss_of(model, 100)
            model.train()
            gating.train(reference, by_hand, 1, first=step)
            with torch.no_grad():
                assert found.equal(gating.loss_of(reference, 100))
        assert gating.weights(model) == gating.weights(reference)
        assert gating.only_gate(run).steps == 3
