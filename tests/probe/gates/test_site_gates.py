"""What gates do to gradients and to training, bit for bit against runs that did it by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gradgate import probe
from tests.support import asking, gating
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


@pytest.mark.parametrize("action", ["block", "scale"])
@pytest.mark.parametrize("site", ["output:0", "input:1", "param:0.weight"])
def test_a_gradient_penalty_through_a_gate(site: str, action: str) -> None:
    """A penalty with create_graph meets a gate as a detach or a scale by hand, with no way around.

    Behind a detach its input has no gradient at all, which stands for zeros.
    """
    factor = {"block": None, "scale": -0.5}[action]
    place = gating.cut if factor is None else gating.scaled(factor)

    def play(model: nn.Sequential, run: probe.Run | None) -> None:
        optimizer = OPTIMIZERS["adamw"](list(model.parameters()))
        by_hand = place if run is None and site != "param:0.weight" else gating.as_it_is
        for _ in range(3):
            optimizer.zero_grad()
            inputs = asking.batch().double().requires_grad_()

            def judge(x: Tensor) -> Tensor:
                return model[2](model[1](by_hand(model[0](x))))  # type: ignore[no-any-return]

            (slope,) = torch.autograd.grad(
                judge(inputs).sum(), inputs, create_graph=True, materialize_grads=run is None
            )
            penalty = (slope.norm(dim=1) - 1).square().sum()
            (judge(asking.batch().double()).mean() + penalty).backward()
            weight = model[0].weight
            if run is None and site == "param:0.weight":
                weight.grad = None if factor is None else weight.grad * factor
            optimizer.step()
            if run is not None:
                run.step()

    ours, theirs = asking.critic().double(), asking.critic().double()
    play(theirs, None)
    with probe.attach(ours, server=False) as run:
        run.gate(site, action=action, factor=factor)
        play(ours, run)
        assert gating.only_gate(run).closed_steps == 3
    assert gating.weights(ours) == gating.weights(theirs)
    assert gating.gradients(ours) == gating.gradients(theirs)


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


def test_a_graph_that_is_kept_and_gradients_asked_for() -> None:
    """Each backward through a kept graph is gated; `autograd.grad` meets gates on its way."""
    model, reference = Branched(), Branched(gating.scaled(-1.0), "output")
    with gating.attached(model) as run:
        run.gate("output:encoder", action="scale", factor=-1.0)
        found = []
        for each in (model, reference):
            loss = gating.loss_of(each, 1)
            loss.backward(retain_graph=True)
            loss.backward(retain_graph=True)
            found.append(torch.autograd.grad(loss, list(each.parameters())))
        run.step()
        assert gating.gradients(model) == gating.gradients(reference)
        for ours, theirs in zip(*found, strict=True):
            assert ours.equal(theirs)
        assert gating.only_gate(run).steps == 1


def test_a_gradient_of_an_intermediate_tensor() -> None:
    """The gradient of a gated output itself is what comes to it; past the gate nothing is."""
    model = Branched()
    kept: list[Tensor] = []
    model.encoder.register_forward_hook(lambda _m, _a, out: kept.append(out))
    with gating.attached(model) as run:
        run.gate("output:encoder")
        loss = gating.loss_of(model, 1)
        (grad,) = torch.autograd.grad(loss, kept, retain_graph=True)
        assert grad.norm() > 0
        weight = model.encoder[2].weight
        assert torch.autograd.grad(loss, weight, allow_unused=True) == (None,)


def test_an_exception_in_the_backward() -> None:
    """A backward that raises in the script's own hook is the script's; the next step is right."""
    ours, theirs = Branched(), Branched(gating.cut, "output")
    optimizers = [OPTIMIZERS["adamw"](list(m.parameters())) for m in (ours, theirs)]
    with gating.attached(ours, optimizers[0]) as run:
        run.gate("output:encoder")
        for model, optimizer in zip((ours, theirs), optimizers, strict=True):
            for step in range(1, 5):
                optimizer.zero_grad()
                loss = gating.loss_of(model, step)
                if step == 2:
                    loss.register_hook(lambda g: 1 / 0)
                    with pytest.raises(ZeroDivisionError, match="division"):
                        loss.backward()
                    continue
                loss.backward()
                optimizer.step()
        assert gating.only_gate(run).steps == 3
    assert gating.weights(ours) == gating.weights(theirs)


class Many(nn.Module):
    """A sparse embedding and an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(7, 6, sparse=True)
        self.lstm, self.head = nn.LSTM(6, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        out, (hidden, _) = self.lstm(self.embedding(x.argsort(1)))
        return self.head(out[:, -1] + hidden[0])  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("site", "stopped"),
    [
        ("output:lstm", {"embedding", "lstm"}),
        ("input:lstm", {"embedding"}),
        ("output:embedding", {"embedding"}),
        ("param:embedding.weight", {"embedding"}),
    ],
)
def test_sparse_gradients_and_an_lstm(site: str, stopped: set[str]) -> None:
    """Block, scale and clip, at an LSTM and where the gradient is sparse."""
    reference = Many()
    gating.loss_of(reference, 1).backward()
    for action in ("block", "scale", "clip"):
        model = Many()
        options = {"scale": {"factor": 0.5}, "clip": {"max_norm": 1e-3}}.get(action, {})
        with gating.attached(model) as run:
            run.gate(site, "norm >= 0", action, **options)  # type: ignore[arg-type]
            gating.loss_of(model, 1).backward()
            run.step()
            gate = gating.only_gate(run)
            states = gating.states(run)
        assert gate.problem is None
        assert gate.norm_in is not None
        factor = {"block": 0.0, "scale": 0.5, "clip": 1e-3 / gate.norm_in}[action]
        assert gate.norm_out == pytest.approx(factor * gate.norm_in)
        for (name, ours), theirs in zip(
            model.named_parameters(), reference.parameters(), strict=True
        ):
            assert theirs.grad is not None
            share = factor if name.split(".")[0] in stopped else 1.0
            assert (states[name] == "gated") == (ours.grad is None) == (share == 0)
            if ours.grad is not None:
                wanted = theirs.grad.to_dense() * share
                torch.testing.assert_close(ours.grad.to_dense(), wanted, rtol=1e-4, atol=1e-9)


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


def test_a_gate_that_fails_leaves_the_others_at_its_site_at_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fault in deciding one gate passes the gradient on to the next, and the job goes on."""
    monkeypatch.delenv("GRADGATE_STRICT", raising=False)
    ours, theirs = Branched(), Branched(gating.scaled(3.0), "output")
    with gating.attached(ours) as run:
        run.gate("output:encoder")
        run.gate("output:encoder", action="scale", factor=3.0)
        monkeypatch.setattr(gating.gates_at_work(run)[0], "decide", gating.broken)
        monkeypatch.setattr(gating.gates_at_work(run)[0], "blocks_in_forward", lambda step: False)
        gating.loss_of(ours, 1).backward()
        run.step()
        assert [gate.steps for gate in run.gates()] == [0, 1]
    gating.loss_of(theirs, 1).backward()
    assert gating.gradients(ours) == gating.gradients(theirs)


def test_a_graph_of_before_meets_the_gates_of_now() -> None:
    """A graph whose gate is changed before its backward is gated by the new settings."""
    ours, theirs = Branched(), Branched(gating.scaled(3.0), "output")
    with gating.attached(ours) as run:
        run.gate("output:encoder", action="scale", factor=2.0)
        loss = gating.loss_of(ours, 1)
        run.step()
        run.ungate(1)
        run.gate("output:encoder", action="scale", factor=3.0)
        loss.backward()
        gating.loss_of(theirs, 1).backward()
        assert gating.gradients(ours) == gating.gradients(theirs)
        loss = gating.loss_of(ours, 1)
        run.step()
        run.ungate(2)
        ours.zero_grad()
        loss.backward()
    plain = Branched()
    gating.loss_of(plain, 1).backward()
    assert gating.gradients(ours) == gating.gradients(plain)


def test_who_is_upstream_is_looked_up_anew_in_each_step() -> None:
    """A module that is fed by another one than before blocks that one, and no longer the first."""

    class Switched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.head = nn.Linear(6, 3), nn.Linear(6, 3), nn.Linear(3, 3)
            self.feeds = self.one

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.feeds(x))  # type: ignore[no-any-return]

    model = Switched()
    with gating.attached(model) as run:
        run.gate("input:head", "norm >= 0")
        for feeds, name in ((model.one, "one"), (model.two, "two")):
            model.feeds = feeds
            gating.loss_of(model, 1).backward()
            run.step()
            assert gating.only_gate(run).parameters == (f"{name}.weight", f"{name}.bias")
