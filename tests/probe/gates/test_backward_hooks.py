"""Gates on what modules take and return, in whatever they wrap it and wherever it is written to."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradgate import probe
from gradgate.probe.gates.reach import Reach
from tests.support import gating
from tests.support.gating import both
from tests.support.structures import STRUCTURES, Unwrap, Wrap


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


class InPlace(nn.Module):
    """Writes to what a module has just returned: to a tensor, or to a view of one."""

    def __init__(self, how: str, place: gating.Place = gating.as_it_is) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Linear(6, 6)
        if how == "flattened":
            self.body = nn.Sequential(nn.Unflatten(1, (2, 3)), nn.Linear(3, 3), nn.Flatten())
        elif how == "transposed":
            self.body = Transposing()
        self.act, self.head = nn.ReLU(inplace=True), nn.Linear(6, 3)
        self.how, self.place = how, place

    def forward(self, x: Tensor) -> Tensor:
        if self.how == "view":  # of three dimensions a linear layer returns a view
            x = x[:, None]
        x = self.place(self.body(x))
        x += 0.1
        x[..., :2] *= 0.5
        x = self.act(x)
        return self.head(x.reshape(-1, 6))  # type: ignore[no-any-return]


class Transposing(nn.Module):
    """Returns a view of a copy of a view."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).reshape(-1, 2, 3).transpose(1, 2).flatten(1)  # type: ignore[no-any-return]


def fresh(place: gating.Place) -> gating.Place:
    return lambda x: place(x).clone()


@pytest.mark.parametrize("how", ["tensor", "view", "flattened", "transposed"])
def test_what_is_written_to_after_an_output_gate_is_gated(how: str) -> None:
    """A write in place right behind a gated output does not go past the gate."""
    for when in gating.ALWAYS.values():
        both(InPlace(how), InPlace(how, fresh(gating.cut)), "output:body", when=when)
    scaled = InPlace(how, fresh(gating.scaled(-0.5)))
    both(InPlace(how), scaled, "output:body", action="scale", factor=-0.5)


def test_a_write_to_what_a_view_was_made_from_is_seen() -> None:
    """Autograd still finds a write that makes a backward wrong, behind a gate as without."""

    class Saves(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.sigmoid(x * 2).view(-1, 3)

    x = torch.ones(2, 3, requires_grad=True)
    model = Saves()
    with gating.attached(model) as run:
        run.gate("output:", action="scale", factor=2.0)
        out = model(x)
        out.mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            out.sum().backward()


@pytest.mark.parametrize("site", ["input:act", "site:here", "output:flat"])
def test_a_write_that_goes_past_a_gate_is_reported(site: str) -> None:
    """Where a gated view is written to, the gradient is right, the gate idle, and says why."""

    class Writes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.stem, self.act, self.flat = nn.Linear(6, 3), nn.ReLU(inplace=True), nn.Flatten()

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            if site == "input:act":
                return self.act(x)  # type: ignore[no-any-return]
            x = probe.site(x, "here") if site == "site:here" else self.flat(x)
            x += 1
            return x

    ours, theirs = Writes(), Writes()
    with gating.attached(ours) as run:
        run.gate(site)
        for step in (1, 2):
            gating.loss_of(ours, step).backward()
            run.step()
        assert "is changed in place right after the site" in str(gating.only_gate(run).problem)
    for step in (1, 2):
        gating.loss_of(theirs, step).backward()
    assert gating.gradients(ours) == gating.gradients(theirs)


@pytest.mark.parametrize("site", ["output:giver", "input:taker"])
def test_a_tensor_that_cannot_be_gated_leaves_the_others_gated(
    site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault inside at one tensor of a structure passes that one as it is, and no other."""
    monkeypatch.delenv("GRADGATE_STRICT", raising=False)
    model = Wrapping(*STRUCTURES["tuple"], gating.as_it_is, "")
    seen: list[Tensor] = []

    def once_broken(self: Reach, tensor: Tensor, *_: object) -> None:
        seen.append(tensor)
        if len(seen) == 1:
            gating.broken()

    monkeypatch.setattr(Reach, "add", once_broken)
    given: list[Tensor] = []
    model.taker.register_forward_pre_hook(lambda _m, args: given.extend(args[0]))
    with gating.attached(model) as run:
        run.gate(site, "norm >= 0")
        gating.loss_of(model, 1).backward()
        assert len(seen) == 2
        run.step()
        gate = gating.only_gate(run)
        assert (gate.steps, gate.closed_steps) == (1, 0)
        assert str(gate.problem).startswith("open, because gradgate failed inside (")
    if site == "output:giver":
        assert model.giver.one.weight.grad is not None
        assert model.giver.two.weight.grad is None


def test_each_output_of_one_node() -> None:
    """Where an operation returns two tensors of one node, each is gated by its own hook."""

    class Moments(nn.Module):
        def __init__(self, place: gating.Place) -> None:
            super().__init__()
            self.linear, self.place = nn.Linear(6, 6), place

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            std, mean = torch.std_mean(self.linear(x), 1, keepdim=True)
            return self.place(std), self.place(mean)

    class Standing(nn.Module):
        def __init__(self, place: gating.Place = gating.as_it_is) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.moments, self.head = Moments(place), nn.Linear(2, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(torch.cat(self.moments(x), 1))  # type: ignore[no-any-return]

    both(Standing(), Standing(gating.cut), "output:moments")
    both(
        Standing(),
        Standing(gating.scaled(2.0)),
        "output:moments",
        when="norm >= 0",
        action="scale",
        factor=2.0,
    )


def test_outputs_that_share_memory_stay_views_of_it() -> None:
    """A write to one of two views that overlap counts in the gradient of the other."""

    class Overlapping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.linear = nn.Linear(6, 4)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            y = self.linear(x)
            return y.flatten(), y[:, :2]

    found = []
    for gated in (False, True):
        model = Overlapping()
        with gating.attached(model) as run:
            if gated:
                run.gate("output:", "norm >= 0", "scale", factor=1.0)
            whole, part = model(gating.data(1)[0])
            whole.mul_(3.0)
            (part.square().sum() + whole.sum()).backward()
            found.append(gating.gradients(model))
    assert found[0] == found[1]


def test_views_are_let_go_of_after_the_forward() -> None:
    """What a gated input was passed on as lives no longer than the script's own graph."""
    model = gating.Branched()
    kept: list[weakref.ref[Tensor]] = []
    with gating.attached(model) as run:
        run.gate("input:head", "norm >= 0")
        model.head.register_forward_pre_hook(lambda _m, args: kept.append(weakref.ref(args[0])))
        gc.disable()
        try:
            gating.loss_of(model, 1).backward()
            assert kept[0]() is None
        finally:
            gc.enable()


def _with_what_it_is_made_of(h: Tensor) -> tuple[Tensor, ...]:
    return h, torch.relu(h)


def _all_on_the_way(h: Tensor) -> tuple[Tensor, ...]:
    first = torch.tanh(h)
    last = torch.tanh(first + h)
    return last, h, first, last


def _with_a_view_of_itself(h: Tensor) -> tuple[Tensor, ...]:
    return h, h[:, :3]


def _twice_the_same(h: Tensor) -> tuple[Tensor, ...]:
    return h, h


def _two_views_and_more(h: Tensor) -> tuple[Tensor, ...]:
    return h[:, :3], h[:, 3:], torch.relu(h)


class Several(nn.Module):
    """Uses what a module returns, some of which is made of the rest."""

    def __init__(self, make: Callable[[Tensor], tuple[Tensor, ...]], by_hand: gating.Place) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.stem, self.giver, self.head = nn.Linear(6, 8), Making(make), nn.Linear(8, 3)
        self.by_hand = by_hand

    def forward(self, x: Tensor) -> Tensor:
        returned = self.giver(torch.tanh(self.stem(x)))
        known = {id(each): self.by_hand(each) for each in returned}
        total = self.head(torch.zeros(8))
        for factor, each in enumerate(returned, 2):
            total = total + factor * known[id(each)].sin().sum(-1, keepdim=True)
        return total


class Making(nn.Module):
    """Returns several tensors, made of what its layer gives."""

    def __init__(self, make: Callable[[Tensor], tuple[Tensor, ...]]) -> None:
        super().__init__()
        self.layer, self.make = nn.Linear(8, 8), make

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.make(self.layer(x))


@pytest.mark.parametrize(
    "make",
    [
        _with_what_it_is_made_of,
        _all_on_the_way,
        _with_a_view_of_itself,
        _twice_the_same,
        _two_views_and_more,
    ],
)
def test_a_gradient_comes_to_a_gate_once_though_several_returned_tensors_carry_it(
    make: Callable[[Tensor], tuple[Tensor, ...]],
) -> None:
    """As encoders return all hidden states: what is made of another is scaled as by hand."""
    ours, theirs = Several(make, gating.as_it_is), Several(make, gating.scaled(-0.5))
    (info,) = both(ours, theirs, "output:giver", action="scale", factor=-0.5)
    assert info.closed_steps == 3
    assert info.problem is None


class Writing(Several):
    """Writes in place to what was returned on the way."""

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.giver(torch.tanh(self.stem(x)))
        if self.by_hand is not gating.as_it_is:
            first, second = self.by_hand(first) * 1, self.by_hand(second)
        return self.head(first.mul_(3).add_(second))  # type: ignore[no-any-return]


def test_what_is_returned_on_the_way_may_be_written_to() -> None:
    """A write in place behind the gate goes through it, though the module has used the tensor."""
    ours, theirs = (
        Writing(lambda h: (h, h * 2), place) for place in (gating.as_it_is, gating.scaled(-0.5))
    )
    (info,) = both(ours, theirs, "output:giver", action="scale", factor=-0.5)
    assert info.problem is None


@pytest.mark.parametrize("inner", ["output:giver.1", "output:giver.1.0"])
@pytest.mark.parametrize("when", gating.ALWAYS.values(), ids=gating.ALWAYS)
def test_a_gradient_comes_to_the_outer_of_two_modules_first(inner: str, when: str) -> None:
    """Whichever gate was made first: what the outer one returns is what the inner has returned."""
    for outer_first in (True, False):
        torch.manual_seed(0)
        last = nn.Sequential(nn.Linear(4, 4))
        model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Tanh(), last), nn.Linear(4, 1))
        model = nn.ModuleDict({"stem": model[0], "giver": model[1], "head": model[2]})
        with gating.attached(model) as run:
            made = [("output:giver", "True", {"action": "scale", "factor": 0.1}), (inner, when, {})]
            for site, condition, options in made if outer_first else reversed(made):
                run.gate(site, condition, **options)
            x = torch.ones(3, 4)
            model["head"](model["giver"](model["stem"](x))).sum().backward()
            run.step()
            outer, within = sorted(run.gates(), key=lambda gate: len(gate.site))
            assert outer.norm_out == pytest.approx(0.1 * outer.norm_in)
            assert within.norm_in == pytest.approx(outer.norm_out)
            assert within.norm_out == 0
            assert model["stem"].weight.grad is None
