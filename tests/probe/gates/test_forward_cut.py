"""Gates that are known in the forward to let nothing pass: the graph ends there."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gradgate.probe.model.graph_walk import leaves, reachable
from tests.support import gating
from tests.support.gating import Branched, attached, loss_of, only_gate


def leads_to(loss: Tensor) -> set[int]:
    """The leaves that a backward from ``loss`` would go through the graph to."""
    assert loss.grad_fn is not None
    nodes = reachable([loss.grad_fn])
    return {id(node.variable) for node in nodes if hasattr(node, "variable")}


@pytest.mark.parametrize(
    ("when", "options", "cut"),
    [
        ("True", {}, True),
        ("step >= 1 and not closed", {}, True),
        ("norm >= 0", {}, False),
        ("loss > 0", {}, False),
        ("step > 5", {}, False),
        ("True", {"action": "scale", "factor": 0.0}, False),
    ],
)
def test_the_graph_ends_where_it_is_known_that_nothing_will_pass(
    when: str, options: dict[str, Any], cut: bool
) -> None:
    """What lies behind is gone through only where the backward itself decides."""
    model = Branched()
    with attached(model) as run:
        run.log(loss=1.0)
        run.gate("output:encoder", when, **options)
        behind = {id(p) for p in model.encoder.parameters()}
        assert (not behind & leads_to(loss_of(model, 1))) is cut


def test_activations_are_let_go_of() -> None:
    """What the modules behind had kept for their backward is freed in the forward."""
    model = Branched()
    kept: list[weakref.ref[Tensor]] = []
    model.encoder[1].register_forward_hook(lambda _m, _a, out: kept.append(weakref.ref(out)))
    gc.disable()
    try:
        first = loss_of(model, 1)
        with attached(model) as run:
            run.gate("output:encoder")
            second = loss_of(model, 1)
            assert [ref() is None for ref in kept] == [False, True]
            assert first.equal(second)
    finally:
        gc.enable()


class Keeps(nn.Module):
    """Keeps what it returns, and has a loss of its own on it."""

    def __init__(self, place: gating.Place = gating.as_it_is) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.linear, self.place = nn.Linear(6, 4), place
        self.kept = self.own_loss = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        self.kept = self.place(torch.sigmoid(self.linear(x)))
        self.own_loss = self.kept.square().mean()
        return self.kept


class Aside(nn.Module):
    """Trains on the loss of its body, too."""

    def __init__(self, place: gating.Place = gating.as_it_is) -> None:
        super().__init__()
        self.body = Keeps(place)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x)) + self.body.own_loss  # type: ignore[no-any-return]


def test_what_a_module_keeps_of_its_output_is_gated_too() -> None:
    """The returned tensor stays the same object, and what was made of it before is gated."""
    ours, theirs = Aside(), Aside(gating.cut)
    gating.both(ours, theirs, "output:body")
    with attached(ours) as run:
        run.gate("output:body")
        loss = loss_of(ours, 1)
        assert torch.autograd.grad(loss, ours.body.kept)[0].norm() > 0


def test_hooks_that_are_on_an_output_already_still_fire() -> None:
    """A hook on the tensor, put there before the gate, gets what arrives, as `.grad` does."""
    model = Branched()
    seen: list[Tensor] = []
    outputs: list[Tensor] = []

    def watch(_module: nn.Module, _args: Any, out: Tensor) -> None:
        out.register_hook(seen.append)

    def retain(_module: nn.Module, _args: Any, out: Tensor) -> None:
        out.retain_grad()
        outputs.append(out)

    def forget(_module: nn.Module, _args: Any, out: Tensor) -> None:
        out.register_hook(seen.append).remove()

    model.encoder.register_forward_hook(watch)
    model.encoder[2].register_forward_hook(retain)
    with attached(model) as run:
        run.gate("output:encoder")
        loss_of(model, 1).backward()
        assert outputs[0].grad is not None
        assert seen[0].equal(outputs[0].grad)
        assert model.encoder[2].weight.grad is None

    model = Branched()
    model.encoder.register_forward_hook(watch)
    with attached(model) as run:
        run.gate("output:encoder")
        loss_of(model, 1).backward()
        assert seen.pop().norm() > 0
        assert model.encoder[2].weight.grad is None

    model = Branched()
    model.encoder.register_forward_hook(forget)
    with attached(model) as run:
        run.gate("output:encoder")
        loss_of(model, 1).backward()
        assert len(seen) == 1
        assert model.encoder[2].weight.grad is None
        assert model.head.weight.grad is not None


def test_a_backward_in_a_later_step_meets_what_its_forward_decided() -> None:
    """A graph that was cut stays cut, and the gate says that it was closed to it."""
    model = Branched()
    with attached(model) as run:
        run.gate("output:encoder", "step <= 1")
        loss = loss_of(model, 1)
        run.step()
        loss.backward()
        assert model.encoder[0].weight.grad is None
        run.step()
        assert only_gate(run).closed_steps == only_gate(run).steps == 1
        assert gating.states(run)["encoder.0.weight"] == "gated"


def test_what_is_cut_off_is_still_known_to_be_upstream() -> None:
    """A freeze downstream, or a gate there, still sees who would be cut off."""
    model = Branched()
    seen: list[set[Tensor | None]] = []
    with attached(model) as run:
        run.gate("output:encoder")
        outer = run.gate("output:head")
        hook = model.head.register_forward_pre_hook(lambda _m, args: seen.append(set(leaves(args))))
        loss_of(model, 1).backward()
        hook.remove()
        assert set(model.encoder.parameters()) < seen[0]
        assert all(leaf in set(model.parameters()) for leaf in seen[0])
        run.step()
        gate = next(gate for gate in run.gates() if gate.id == outer)
        assert set(gate.parameters) == {name for name, _ in model.named_parameters()}


def test_where_a_checkpoint_hides_its_inside_the_graph_stays() -> None:
    """Of a reentrant checkpoint of a function nobody knows what is in it before it runs."""

    class Hides(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.over, self.head = nn.Linear(6, 4), nn.Linear(4, 4), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            inside = checkpoint(lambda y: self.stem(y), x.requires_grad_(), use_reentrant=True)
            return self.head(self.over(inside))  # type: ignore[no-any-return]

    model = Hides()
    with attached(model) as run:
        run.gate("output:over")
        loss = loss_of(model, 1)
        assert id(model.over.weight) in leads_to(loss)
        loss.backward()
        run.step()
        gated = {name for name, state in gating.states(run).items() if state == "gated"}
        assert gated == {"stem.weight", "stem.bias", "over.weight", "over.bias"}


def test_a_functional_transform_is_left_alone() -> None:
    """Inside of `torch.func` the gate decides as the gradient arrives."""
    model = Branched()
    with attached(model) as run:
        run.gate("output:encoder")
        weights = {name: p.detach() for name, p in model.named_parameters()}
        inputs = gating.data(1)[0]

        def loss(given: dict[str, Tensor]) -> Tensor:
            out: Tensor = torch.func.functional_call(model, given, inputs)
            return out.square().mean()

        found = torch.func.grad(loss)(weights)
        assert not found["encoder.0.weight"].any()
        assert found["head.weight"].any()


def test_a_default_device_keeps_no_graph() -> None:
    """What a script says of the device of new tensors is no look at what happens."""
    model = Branched()
    with attached(model) as run, torch.device("cpu"):
        run.gate("output:encoder")
        behind = {id(p) for p in model.encoder.parameters()}
        assert not behind & leads_to(loss_of(model, 1))
