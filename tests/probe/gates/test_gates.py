"""What gates do to gradients and to training, bit for bit against runs that did it by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from gradgate import probe
from gradgate.probe.gates.actions import Clip, Scale
from tests.support import gating
from tests.support.gating import OPTIMIZERS, SITES, Branched


@pytest.mark.parametrize("kind", list(OPTIMIZERS))
@pytest.mark.parametrize("at", list(SITES))
@pytest.mark.parametrize("when", gating.ALWAYS.values(), ids=gating.ALWAYS)
def test_block_is_a_detach(at: str, kind: str, when: str) -> None:
    """Closed, opened and closed again, a gate trains as `.detach()` there does, bit for bit."""
    theirs, ours = Branched(at=at), Branched()
    optimizers = [OPTIMIZERS[kind](list(model.parameters())) for model in (theirs, ours)]
    with gating.attached(ours, optimizers[1], every=3) as run:
        for first, closed in ((1, False), (6, True), (13, False), (18, True)):
            theirs.by_hand = gating.cut if closed else gating.as_it_is
            if closed:
                number = run.gate(SITES[at], when)
            elif run.gates():
                run.ungate(number)
            for step in range(first, first + 6):
                for model, optimizer in zip((theirs, ours), optimizers, strict=True):
                    gating.train(model, optimizer, 1, first=step)
                assert gating.gradients(ours) == gating.gradients(theirs), step
                assert gating.weights(ours) == gating.weights(theirs), step
                assert gating.memories(ours, optimizers[1]) == gating.memories(
                    theirs, optimizers[0]
                )
        assert (ours.encoder[0].weight.grad is None) == (at != "input")
        assert ours.stem.weight.grad is not None


@pytest.mark.parametrize("set_to_none", [True, False], ids=["to-none", "to-zero"])
@pytest.mark.parametrize("at", list(SITES))
@pytest.mark.parametrize("warm", [0, 7])
@pytest.mark.parametrize("when", gating.ALWAYS.values(), ids=gating.ALWAYS)
def test_a_gated_parameter_stays_where_it_is(
    at: str, set_to_none: bool, warm: int, when: str
) -> None:
    """Neither momentum nor decay moves what got nothing; all others train as with a detach."""
    theirs, ours = Branched(at=at), Branched()
    optimizers = [OPTIMIZERS["adamw"](list(model.parameters())) for model in (theirs, ours)]
    with gating.attached(ours, optimizers[1], every=4) as run:
        for model, optimizer in zip((theirs, ours), optimizers, strict=True):
            gating.train(model, optimizer, warm, set_to_none=set_to_none)
        theirs.by_hand = gating.cut
        run.gate(SITES[at], when)
        before, memory = gating.weights(ours), gating.memories(ours, optimizers[1])

        def keep_out(_: int) -> None:
            """What gets nothing by a detach is to be kept from the optimizer by hand."""
            if at != "input":
                theirs.encoder.zero_grad()

        many = {"first": warm + 1, "set_to_none": set_to_none}
        gating.train(ours, optimizers[1], 6, **many)  # type: ignore[arg-type]
        gating.train(theirs, optimizers[0], 6, **many, before_step=keep_out)  # type: ignore[arg-type]
        after, by_hand = gating.weights(ours), gating.weights(theirs)
        gated = {name for name in after if name.startswith("encoder") and at != "input"}
        assert {name for name, p in ours.named_parameters() if p.grad is None} == gated
        for name in after:
            assert after[name] == (before if name in gated else by_hand)[name], name
            if name in gated and warm:
                assert gating.memories(ours, optimizers[1])[name] == memory[name]
        assert only_names(run) == tuple(sorted(gated, key=list(after).index))


def only_names(run: probe.Run) -> tuple[str, ...]:
    return gating.only_gate(run).parameters


@pytest.mark.parametrize("set_to_none", [True, False], ids=["to-none", "to-zero"])
@pytest.mark.parametrize("kind", list(OPTIMIZERS))
def test_block_at_a_parameter(kind: str, set_to_none: bool) -> None:
    """A gate on a parameter keeps it and its state bitwise; all others train as ever."""
    model, reference = Branched(), Branched()
    optimizer = OPTIMIZERS[kind](list(model.parameters()))
    by_hand = OPTIMIZERS[kind](list(reference.parameters()))
    with gating.attached(model, optimizer) as run:
        gating.train(model, optimizer, 4, set_to_none=set_to_none)
        gating.train(reference, by_hand, 4, set_to_none=set_to_none)
        run.gate("param:encoder.0.weight")
        reference.encoder[0].weight.requires_grad_(False).grad = None
        gating.train(model, optimizer, 4, first=5, set_to_none=set_to_none)
        gating.train(reference, by_hand, 4, first=5, set_to_none=set_to_none)
        assert gating.states(run)["encoder.0.weight"] == "gated"
        assert gating.only_gate(run).parameters == ("encoder.0.weight",)
        assert gating.weights(model) == gating.weights(reference)
        assert gating.gradients(model) == gating.gradients(reference)
        run.ungate(1)
        reference.encoder[0].weight.requires_grad_(True)
        gating.train(model, optimizer, 4, first=9, set_to_none=set_to_none)
        gating.train(reference, by_hand, 4, first=9, set_to_none=set_to_none)
        assert gating.states(run)["encoder.0.weight"] == "present"
    assert gating.weights(model) == gating.weights(reference)
    assert gating.memories(model, optimizer) == gating.memories(reference, by_hand)


@pytest.mark.parametrize("factor", [-1.0, 0.0, 2.5])
@pytest.mark.parametrize("at", list(SITES))
def test_scale_is_a_reversal_layer(at: str, factor: float) -> None:
    """A scaling gate trains as a hand-written function that scales there, bit for bit."""
    theirs, ours = Branched(gating.scaled(factor), at), Branched()
    optimizers = [OPTIMIZERS["sgd"](list(model.parameters())) for model in (theirs, ours)]
    with gating.attached(ours, optimizers[1]) as run:
        run.gate(SITES[at], action="scale", factor=factor)
        for model, optimizer in zip((theirs, ours), optimizers, strict=True):
            gating.train(model, optimizer, 10)
        assert gating.gradients(ours) == gating.gradients(theirs)
        assert gating.weights(ours) == gating.weights(theirs)
        assert gating.only_gate(run).closed_steps == 10


@pytest.mark.parametrize("factor", [-1.0, 0.0, 2.5])
def test_scale_at_a_parameter(factor: float) -> None:
    """A scaling gate on a parameter multiplies its gradient and no other."""
    model, reference = Branched(), Branched()
    with gating.attached(model) as run:
        run.gate("param:encoder.2.weight", action="scale", factor=factor)
        gating.loss_of(model, 1).backward()
        run.step()
        gating.loss_of(reference, 1).backward()
        reference.encoder[2].weight.grad *= factor
        assert gating.gradients(model) == gating.gradients(reference)


@pytest.mark.parametrize("at", list(SITES))
def test_clip(at: str) -> None:
    """A clip above the norm changes nothing; below, the norm out is the maximum."""
    seen: list[Tensor] = []

    def note(x: Tensor) -> Tensor:
        x = x.view_as(x)
        x.register_hook(seen.append)
        return x

    reference, model = Branched(note, at).double(), Branched().double()
    gating.loss_of(reference, 1).backward()
    arrived = float(seen[0].norm())
    with gating.attached(model) as run:
        run.gate(SITES[at], action="clip", max_norm=arrived * (1 + 1e-12))
        gating.loss_of(model, 1).backward()
        run.step()
        assert gating.gradients(model) == gating.gradients(reference)
        gate = gating.only_gate(run)
        assert gate.norm_in == gate.norm_out == pytest.approx(arrived, rel=1e-12)
        run.ungate(1)
        run.gate(SITES[at], action="clip", max_norm=arrived / 4)
        model.zero_grad()
        gating.loss_of(model, 1).backward()
        run.step()
        gate = gating.only_gate(run)
        assert gate.norm_in == pytest.approx(arrived, rel=1e-12)
        assert gate.norm_out == pytest.approx(arrived / 4, rel=1e-12)
        assert model.head.weight.grad is not None
        quarter = Branched(gating.scaled(0.25), at).double()
        gating.loss_of(quarter, 1).backward()
        for ours, theirs in zip(model.parameters(), quarter.parameters(), strict=True):
            torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.complex64])
def test_clip_of_few_bits(dtype: torch.dtype) -> None:
    """A norm beyond the range or the precision of its dtype is clipped right all the same."""
    grad = torch.full((40_000,), 500.0, dtype=dtype)
    clipped = Clip(1000.0).pass_on(grad)
    assert clipped is not None
    assert clipped.dtype == dtype
    wide = torch.complex128 if dtype.is_complex else torch.float64
    assert float(clipped.to(wide).norm()) == pytest.approx(1000.0, rel=4e-3)
    assert Clip(100_001.0).pass_on(grad).equal(grad)  # type: ignore[union-attr]


@pytest.mark.parametrize("action", ["scale", "clip", "clip-below", "clip-zero"])
def test_smooth_actions_have_right_gradients_of_gradients(action: str) -> None:
    """What passes is differentiable: gradcheck and gradgradcheck of the action, in float64."""
    act = {
        "scale": Scale(-1.5),
        "clip": Clip(0.5),
        "clip-below": Clip(50.0),
        "clip-zero": Clip(0.5),
    }[action]
    torch.manual_seed(0)
    x = torch.randn(3, 4, dtype=torch.float64).mul(0 if action == "clip-zero" else 1)
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda g: act.pass_on(g), x)
    if action != "clip-zero":
        assert torch.autograd.gradgradcheck(lambda g: act.pass_on(g), x)
    (grad,) = torch.autograd.grad(act.pass_on(x).sum(), x)  # type: ignore[union-attr]
    assert grad.isfinite().all()


def test_scale_by_one_passes_gradcheck_in_place() -> None:
    """A graph with an open gate, or one that scales by 1, is a right derivative twice over."""
    torch.manual_seed(0)
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    run = probe.attach(nn.Identity(), server=False)

    def function(x: Tensor) -> Tensor:
        return probe.site(torch.tanh(x), "middle").square()

    for factor in (1.0, -1.0):
        run.gate("site:middle", action="scale", factor=factor)
        sign = factor
        if sign == 1:
            assert torch.autograd.gradcheck(function, x)
            assert torch.autograd.gradgradcheck(function, x)
        (ours,) = torch.autograd.grad(function(x).sum(), x, create_graph=True)
        hand = gating.scaled(factor)(torch.tanh(x)).square()
        (theirs,) = torch.autograd.grad(hand.sum(), x, create_graph=True)
        assert ours.equal(theirs)
        (second,) = torch.autograd.grad(ours.square().sum(), x)
        (wanted,) = torch.autograd.grad(theirs.square().sum(), x)
        assert second.equal(wanted)
        run.ungate(run.gates()[0].id)
    run.detach()


@pytest.mark.parametrize("site", ["output:encoder", "input:encoder", "param:encoder.0.weight"])
def test_a_gradient_penalty_through_a_gate(site: str) -> None:
    """A penalty with create_graph meets a closed gate as it meets a detach or a scale by hand."""

    def penalised(model: nn.Module, factor: float | None) -> None:
        inputs, targets = gating.data(1, torch.float64)
        loss = (model(inputs.requires_grad_()) - targets).square().mean()
        (grad,) = torch.autograd.grad(loss, inputs, create_graph=True)
        (loss + grad.square().sum()).backward()

    kind, _, _ = site.partition(":")
    at = kind if kind != "param" else ""
    reference = Branched(gating.scaled(-0.5), at).double()
    model = Branched().double()
    with gating.attached(model) as run:
        run.gate(site, action="scale", factor=-0.5)
        penalised(model, -0.5)
        run.step()
        penalised(reference, -0.5)
        if not at:
            reference.encoder[0].weight.grad *= -0.5
        assert gating.gradients(model) == gating.gradients(reference)
        run.ungate(1)
        run.gate(site)
        reference.by_hand = gating.cut
        for each in (model, reference):
            each.zero_grad()
            penalised(each, None)
        run.step()
        if not at:
            reference.encoder[0].weight.grad = None
        assert gating.gradients(model) == gating.gradients(reference)


def test_gates_on_one_site_act_in_the_order_made() -> None:
    """Scaling and then clipping is not clipping and then scaling; a block ends the chain."""
    for actions in (("scale", "clip"), ("clip", "scale")):
        model = Branched().double()
        with gating.attached(model) as run:
            run.gate("output:encoder", "False")
            for action in actions:
                options = {"factor": 10.0} if action == "scale" else {"max_norm": 1e-3}
                run.gate("output:encoder", action=action, **options)  # type: ignore[arg-type]
            gating.loss_of(model, 1).backward()
            run.step()
            infos = run.gates()
            assert infos[1].norm_in == infos[0].norm_out == infos[0].norm_in
            assert infos[2].norm_in == pytest.approx(infos[1].norm_out, rel=1e-12)
            last = infos[2].norm_out
            assert last == pytest.approx(1e-3 if actions[1] == "clip" else 1e-2, rel=1e-9)
            run.gate("output:encoder")
            run.gate("output:encoder", action="scale", factor=2.0)
            gating.loss_of(model, 1).backward()
            run.step()
            assert [gate.steps for gate in run.gates()] == [2, 2, 2, 1, 0]


def test_norms_in_and_out_are_those_of_the_gradient() -> None:
    """The norms of a gate are the float64 norms of what came and what passed."""
    seen: list[Tensor] = []
    model = Branched()
    model.encoder.register_forward_hook(lambda _m, _a, out: out.register_hook(seen.append) and None)
    with gating.attached(model) as run:
        run.gate("output:encoder", action="scale", factor=-3.0)
        gating.loss_of(model, 1).backward()
        run.step()
        gate = gating.only_gate(run)
    exact = float(seen[0].double().norm())
    assert gate.norm_in == pytest.approx(exact, rel=1e-6)
    assert gate.norm_out == pytest.approx(3 * exact, rel=1e-6)


def test_an_overflow_is_passed_on() -> None:
    """A gradient that is not finite passes a clip as one, so that a scaler can see it."""
    for bad in (math.inf, math.nan):
        clipped = Clip(1.0).pass_on(torch.tensor([bad, 1.0]))
        assert clipped is not None
        assert not clipped.isfinite().all()


def test_a_branch_of_exact_zeros_keeps_its_gradient() -> None:
    """Zeros that come around a closed gate are a gradient, and stay one, as with a detach."""

    class Dead(nn.Module):
        def __init__(self, by_hand: gating.Place = gating.as_it_is) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.stem = nn.Linear(6, 3)
            self.body = nn.Linear(3, 3)
            self.by_hand = by_hand

        def forward(self, x: Tensor) -> Tensor:
            stem = self.stem(x)
            return self.by_hand(self.body(stem)) + torch.relu(stem - 1e6)

    models = Dead(gating.cut), Dead()
    for model in models:
        optimizer = OPTIMIZERS["adamw"](list(model.parameters()))
        if model is models[1]:
            run = probe.attach(model, optimizer, server=False, every=1)
            run.gate("output:body")
        gating.train(model, optimizer, 3)
    assert gating.states(run)["stem.weight"] == "zero"
    assert gating.states(run)["body.weight"] == "gated"
    run.detach()
    assert gating.weights(models[1]) == gating.weights(models[0])


def test_detach_leaves_the_model_as_it_was() -> None:
    """With every kind of gate made and closed, detach takes every hook and flag back."""
    model = Branched()

    def traces() -> list[object]:
        return [
            (dict(m._forward_hooks), dict(m._forward_pre_hooks), list(vars(m)))
            for m in model.modules()
        ] + [(p.requires_grad, p._backward_hooks, sorted(vars(p))) for p in model.parameters()]

    before = traces()
    optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
    run = probe.attach(model, optimizer, server=False)
    for site in (*SITES.values(), "param:head.weight"):
        run.gate(site)
    gating.train(model, optimizer, 2)
    loss = gating.loss_of(model, 3)  # closed before the forward, and not stepped
    run.detach()
    assert traces() == before
    loss.backward()
    model.zero_grad()
    reference = Branched()
    reference.load_state_dict(model.state_dict())
    gating.loss_of(model, 4).backward()
    gating.loss_of(reference, 4).backward()
    assert gating.gradients(model) == gating.gradients(reference)
