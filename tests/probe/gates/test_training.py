"""Gates in the loops that people really train with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gradgate import probe
from tests.support import gating
from tests.support.gating import OPTIMIZERS, Branched


def pair(
    theirs: nn.Module, ours: nn.Module, kind: str = "adamw"
) -> list[tuple[nn.Module, torch.optim.Optimizer]]:
    return [(model, OPTIMIZERS[kind](list(model.parameters()))) for model in (theirs, ours)]


@pytest.mark.parametrize("set_to_none", [True, False], ids=["to-none", "to-zero"])
def test_accumulation_with_a_gate_closed_in_one_part(set_to_none: bool) -> None:
    """A gate closed in one micro-batch keeps that part away and leaves the others' sum."""
    theirs, ours = Branched(at="output"), Branched()
    trained = pair(theirs, ours)
    with gating.attached(ours, trained[1][1]) as run:
        run.gate("output:encoder", "part == 1")
        for step in range(1, 5):
            for model, opt in trained:
                opt.zero_grad(set_to_none=set_to_none)
                for part in range(3):
                    if model is ours:
                        run.log(part=part)
                    theirs.by_hand = gating.cut if part == 1 else gating.as_it_is
                    gating.loss_of(model, 10 * step + part).backward()
                opt.step()
            assert gating.gradients(ours) == gating.gradients(theirs)
            assert gating.states(run)["encoder.0.weight"] == "present"
        gate = gating.only_gate(run)
        assert (gate.closed_steps, gate.steps, gate.parameters) == (4, 4, ())
    assert gating.weights(ours) == gating.weights(theirs)


def test_accumulation_with_a_gate_closed_throughout() -> None:
    """Closed in every micro-batch, nothing is summed up, and clipping sees what is there."""
    theirs, ours = Branched(gating.cut, "output"), Branched()
    (_, by_hand), (_, optimizer) = trained = pair(theirs, ours)
    with gating.attached(ours, optimizer) as run:
        run.gate("output:encoder")
        for step in range(1, 5):
            for model, opt in trained:
                opt.zero_grad()
                for part in range(3):
                    gating.loss_of(model, 10 * step + part).backward()
                nn.utils.clip_grad_norm_(model.parameters(), 0.1)
                opt.step()
        assert gating.states(run)["encoder.0.weight"] == "gated"
    assert gating.weights(ours) == gating.weights(theirs)
    assert gating.memories(ours, optimizer) == gating.memories(theirs, by_hand)


def test_a_gate_made_later_leaves_what_an_auxiliary_loss_writes_before_the_forward() -> None:
    """The gradient of a penalty on a weight is new, and the gate has no part in it."""
    theirs, ours = Branched(at="output"), Branched()
    _, (_, optimizer) = trained = pair(theirs, ours)
    with gating.attached(ours, optimizer) as run:
        for step in range(1, 9):
            if step == 6:
                run.gate("output:encoder")
                theirs.by_hand = gating.cut
            for model, opt in trained:
                opt.zero_grad()
                if step >= 6:
                    model.encoder[0].weight.square().sum().backward()
                gating.loss_of(model, step).backward()
                opt.step()
            assert gating.gradients(ours) == gating.gradients(theirs), step
            assert gating.states(run)["encoder.0.weight"] == "present"
    assert gating.weights(ours) == gating.weights(theirs)


def test_parameters_in_no_optimizer_are_gated_too() -> None:
    """What no optimizer holds is shown as gated where a gate kept its gradient away."""
    model = Branched()
    optimizer = OPTIMIZERS["sgd"](list(model.head.parameters()))
    with gating.attached(model, optimizer) as run:
        run.gate("output:encoder")
        run.gate("param:bypass.weight")
        gating.train(model, optimizer, 2)
        states = gating.states(run)
        assert states["encoder.0.weight"] == states["bypass.weight"] == "gated"
        assert states["stem.weight"] == states["bypass.bias"] == "present"
        assert run.gates()[0].parameters == tuple(n for n in states if n.startswith("encoder"))


def test_clipping_with_gradients_that_are_zeroed() -> None:
    """Clipping writes to zeroed gradients, which are no news: the gated stay where they are."""
    model = Branched()
    optimizer = OPTIMIZERS["adamw"](list(model.parameters()))

    def clip(_: int) -> None:
        nn.utils.clip_grad_norm_(model.parameters(), 0.01)

    with gating.attached(model, optimizer, every=5) as run:
        gating.train(model, optimizer, 8, set_to_none=False, before_step=clip)
        run.gate("output:encoder")
        before = gating.weights(model)
        gating.train(model, optimizer, 8, first=9, set_to_none=False, before_step=clip)
        after = gating.weights(model)
    still = {name for name in after if after[name] == before[name]}
    assert still == {name for name in after if name.startswith("encoder")}


@pytest.mark.parametrize("made_first", [True, False], ids=["gate-first", "scaler-first"])
@pytest.mark.parametrize("kind", ["sgd", "adamw-fused"])
@pytest.mark.parametrize("unscale", [True, False])
def test_a_scaler_does_not_show_in_norms(made_first: bool, kind: str, unscale: bool) -> None:
    """`norm` has no loss scale in it, clips are to unscaled norms, overflow steps are skipped."""
    model = Branched()
    optimizer = OPTIMIZERS[kind](list(model.parameters()))
    gate = {"site": "output:encoder", "when": "norm > 0.05", "action": "clip", "max_norm": 0.05}
    with gating.attached(model, optimizer) as run:
        if made_first:
            run.gate(**gate)  # type: ignore[arg-type]
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)  # type: ignore[attr-defined]
        if not made_first:
            run.gate(**gate)  # type: ignore[arg-type]
        run.gate("param:head.weight", "step == 4")
        for step in range(1, 8):
            kept = gating.weights(model)
            optimizer.zero_grad()
            if step == 5:
                assert gating.states(run)["head.weight"] == "gated"
                assert gating.states(run)["head.bias"] == "nonfinite"
            loss = gating.loss_of(model, step) * (float("inf") if step == 4 else 1)
            scaler.scale(loss).backward()
            if unscale:
                scaler.unscale_(optimizer)
            scaler.step(optimizer)
            scaler.update()
            if step == 4:
                assert gating.weights(model) == kept
                continue
            norm = run.gates()[0].norm_in
            assert norm is not None
            assert norm < 10
            assert run.gates()[0].norm_out == pytest.approx(min(norm, 0.05), rel=1e-6)


def test_the_norm_under_a_scaler_is_that_without() -> None:
    """The same training with and without a scaler shows the same norms at a gate."""
    found = []
    for scaling in (False, True):
        model = Branched()
        optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
        with gating.attached(model, optimizer) as run:
            run.gate("output:encoder", "norm > 0.3", "scale", factor=0.5)
            run.gate("param:head.weight", "norm > 0.1", "scale", factor=0.5)
            scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12, enabled=scaling)  # type: ignore[attr-defined]
            for step in range(1, 6):
                optimizer.zero_grad()
                scaler.scale(gating.loss_of(model, step)).backward()
                scaler.step(optimizer)
                scaler.update()
                found.append([(g.norm_in, g.norm_out, g.closed) for g in run.gates()])
    assert found[:5] == found[5:]  # a power of two rounds nothing


@pytest.mark.parametrize("kind", ["sgd", "adamw", "adamw-fused"])
@pytest.mark.parametrize("site", ["output:", "param:weight", "input:0"])
def test_a_scaler_whose_optimizer_gets_nothing(site: str, kind: str) -> None:
    """An optimizer that got nothing because of a gate makes no scaler raise, and moves nothing."""
    torch.manual_seed(0)
    model = nn.Linear(6, 3, bias=False) if site != "input:0" else nn.Sequential(nn.Linear(6, 3))
    if site == "input:0":
        first = nn.Linear(6, 6)
        held, model = list(first.parameters()), nn.Sequential(first, *model)
        site = "input:1"
    else:
        held = list(model.parameters())
    optimizer = OPTIMIZERS[kind](held)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)  # type: ignore[attr-defined]
    with gating.attached(model, optimizer) as run:
        for step in range(1, 10):
            if step == 3:
                run.gate(site)
                kept = gating.weights(model)
                memory = gating.memories(model, optimizer)
            if step == 7:
                assert {n: b for n, b in gating.weights(model).items() if n in memory} == {
                    n: b for n, b in kept.items() if n in memory
                }
                assert gating.memories(model, optimizer) == memory
                gated = {n for n, state in gating.states(run).items() if state == "gated"}
                assert gated == set(memory)
                run.ungate(1)
            optimizer.zero_grad()
            scaler.scale(gating.loss_of(model, step)).backward()
            scaler.unscale_(optimizer)
            scaler.step(optimizer)
            scaler.update()
        name = next(iter(memory))
        assert gating.states(run)[name] == "present"
        assert gating.weights(model)[name] != kept[name]


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_a_gan_with_two_optimizers(kind: str) -> None:
    """A gate in a GAN closes for the generator's backward only, as a reversal by hand does."""

    def models(place: gating.Place) -> dict[str, nn.Module]:
        torch.manual_seed(5)
        maker = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 3))
        return {"maker": maker, "judge": nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))}

    def play(run: probe.Run | None, place: gating.Place) -> list[dict[str, bytes]]:
        both = models(place)
        maker, judge = both["maker"], both["judge"]
        by = [OPTIMIZERS[kind](list(m.parameters())) for m in (maker, judge)]
        if run is None and place is gating.as_it_is:
            run = probe.attach(both, by, server=False, every=1)
            run.gate("output:maker", action="scale", factor=-0.5)
            run.gate("output:judge.0", "stage == 1")
        for step in range(1, 7):
            real, (noise, target) = gating.data(step + 100)[1], gating.data(step)
            if run is not None:
                run.log(stage=0)
            by[1].zero_grad()
            made = place(maker(noise)).detach()
            (judge(made).mean() - judge(real).mean()).backward()
            by[1].step()
            if run is not None:
                run.log(stage=1)
            by[0].zero_grad()
            made = place(maker(noise))
            hidden = judge[0](made)  # type: ignore[index]
            if run is None:
                hidden = hidden.detach()
            loss = judge[2](judge[1](hidden)).mean() + (made - target).square().mean()  # type: ignore[index]
            loss.backward()
            by[0].step()
        if run is not None:
            first, second = run.gates()
            assert (first.closed_steps, second.closed_steps) == (6, 6)
            run.detach()
        return [gating.weights(maker), gating.weights(judge)]

    assert play(None, gating.as_it_is) == play(None, gating.scaled(-0.5))


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
