"""What a gate decides in training of all kinds, and what a trial foretells of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradgate import probe
from gradgate.probe.gates.dry_run import dry_run
from gradgate.probe.model.commands import GateCommand
from tests.support import gating
from tests.support.gating import OPTIMIZERS, Branched, closed_in


@pytest.mark.parametrize("site", ["output:encoder", "param:encoder.0.weight"])
@pytest.mark.parametrize(
    ("when", "hold", "closed"),
    [
        ("step % 3 == 0", 0, [3, 6, 9]),
        ("step % 5 == 2", 3, [2, 3, 4, 7, 8, 9]),
        ("saw > (2 if closed else 4)", 0, [5, 6]),
        ("val_loss > 8.5", 2, [9, 10]),
        ("not closed", 0, [1, 3, 5, 7, 9]),
        ("isnan(nan_)", 0, []),
        ("True", 0, list(range(1, 11))),
    ],
)
def test_conditions(site: str, when: str, hold: int, closed: list[int]) -> None:
    """Steps, metrics logged before the same backward, hysteresis and holding decide a gate."""
    model = Branched()
    with gating.attached(model) as run:
        run.gate(site, when, hold=hold)
        found = closed_in(
            run, model, 10, **{"saw": lambda s: s if s < 6 else 9 - s, "val/loss": float}
        )
        gate = gating.only_gate(run)
        assert found == closed
        assert (gate.steps, gate.closed_steps) == (10, len(closed))
        if "nan" in when:
            assert "nan_" in str(gate.problem)
        else:
            assert gate.problem is None


def test_norm_and_its_average() -> None:
    """`norm` is what arrives in this very backward, `norm_avg` the average before it."""
    model = Branched()
    with gating.attached(model) as run:
        run.gate("output:encoder", "norm > 1.05 * norm_avg", "scale", factor=1.0)
        average, wanted, found = None, [], []
        for step in range(1, 21):
            model.zero_grad()
            gating.loss_of(model, step).backward()
            run.step()
            gate = gating.only_gate(run)
            norm = gate.norm_in
            assert norm is not None
            average = norm if average is None else average
            wanted.append(norm > 1.05 * average)
            average += (norm - average) / 10
            found.append(gate.closed)
    assert found == wanted
    assert 0 < sum(found) < 20


@pytest.mark.parametrize(
    "when", ["norm > {0}", "norm > 1.1 * norm_avg", "norm > ({0} * .8 if closed else {0})"]
)
@pytest.mark.parametrize("hold", [0, 3])
@pytest.mark.parametrize(
    ("site", "level"), [("output:encoder", 0.15), ("param:encoder.0.weight", 0.07)]
)
def test_a_trial_is_what_would_have_been(when: str, hold: int, site: str, level: float) -> None:
    """Played over the norms of a run, a condition closes in the steps in which it did."""
    when = when.format(level)
    model = Branched()
    optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
    norms: list[float | None] = []
    closed: list[int] = []
    with gating.attached(model, optimizer) as run:
        run.gate(site, when, "scale", factor=1.0, hold=hold)
        for step in range(1, 41):
            gating.train(model, optimizer, 1, first=step)
            gate = gating.only_gate(run)
            norms.append(gate.norm_in)
            closed += [step] if gate.closed else []
        check = run._job.gates.registry.check
        asked = GateCommand(site, site, when, hold=hold, by="test")
        history = {"steps": list(range(1, 41)), "values": {"norm": norms}}
        answer = dry_run(asked, history, check=check, known=[])
    assert 0 < len(closed) < 40
    assert answer["error"] is None
    assert (answer["closed"], answer["samples"]) == (closed, 40)


def test_a_parameter_known_closed_costs_no_work() -> None:
    """A gate on a parameter that is closed before the forward skips its gradient's work."""

    class Counted(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
            ctx.save_for_backward(x, weight)
            return x @ weight

        @staticmethod
        def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None]:
            x, weight = ctx.saved_tensors
            worked.append(ctx.needs_input_grad[1])
            return grads[0] @ weight.T, (x.T @ grads[0] if ctx.needs_input_grad[1] else None)

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.stem, self.weight = nn.Linear(6, 4), nn.Parameter(torch.randn(4, 3))

        def forward(self, x: Tensor) -> Tensor:
            return Counted.apply(self.stem(x), self.weight)  # type: ignore[no-any-return,no-untyped-call]

    worked: list[bool] = []
    model = Model()
    optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
    with gating.attached(model, optimizer) as run:
        run.gate("param:weight", "lr < 0.5")
        for step, rate in enumerate([0.9, 0.1, 0.2, 0.8], 1):
            run.log(lr=rate)
            gating.train(model, optimizer, 1, first=step)
            assert model.weight.requires_grad  # between steps the script finds it as it was
        assert worked == [True, False, False, True]
        assert gating.only_gate(run).closed_steps == 2


def test_all_parameters_gated() -> None:
    """With a gate on every parameter closed, the script's own backward does not raise."""
    model = nn.Linear(6, 3)
    optimizer = OPTIMIZERS["adamw"](list(model.parameters()))
    with gating.attached(model, optimizer) as run:
        run.gate("param:weight")
        run.gate("param:bias")
        before = gating.weights(model)
        gating.train(model, optimizer, 3)
        assert gating.weights(model) == before
        assert set(gating.states(run).values()) == {"gated"}


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_optimizers_that_step_inside_the_backward(kind: str) -> None:
    """A parameter whose gradient is gated is not stepped by its own optimizer."""

    def play(model: Branched, run: Callable[..., Any] | None) -> None:
        optimizers = {p: OPTIMIZERS[kind]([p]) for p in model.parameters()}

        def step(parameter: Tensor) -> None:
            optimizer = optimizers[parameter]  # type: ignore[index]
            optimizer.step()
            optimizer.zero_grad()

        for parameter in model.parameters():
            parameter.register_post_accumulate_grad_hook(step)
        attached = (
            probe.attach(model, list(optimizers.values()), server=False, every=1) if run else None
        )
        if attached is not None:
            attached.gate("output:encoder")
        for number in range(1, 6):
            gating.loss_of(model, number).backward()
        if attached is not None:
            assert gating.only_gate(attached).steps == 5
            assert gating.states(attached)["encoder.0.weight"] == "gated"
            attached.detach()

    ours, theirs = Branched(), Branched(gating.cut, "output")
    play(ours, probe.attach)
    play(theirs, None)
    assert gating.weights(ours) == gating.weights(theirs)


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


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.complex64])
def test_dtypes(dtype: torch.dtype) -> None:
    """Gates work on double, short and complex gradients; the norms are those of float64."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 4, dtype=dtype), nn.Linear(4, 3, dtype=dtype))
    x = torch.randn(5, 6).to(dtype)
    model(x).abs().square().sum().backward()
    before = [p.grad for p in model.parameters()]
    seen: list[Tensor] = []
    model[0].register_forward_hook(lambda _m, _a, out: out.register_hook(seen.append) and None)
    with gating.attached(model) as run:
        run.gate("output:0", "norm > 0", "scale", factor=-2.0)
        model.zero_grad()
        model(x).abs().square().sum().backward()
        run.step()
        gate = gating.only_gate(run)
        wide = torch.complex128 if dtype.is_complex else torch.float64
        assert gate.norm_in == pytest.approx(float(seen[0].to(wide).norm()), rel=1e-5)
    for parameter, earlier, factor in zip(model.parameters(), before, (-2, -2, 1, 1), strict=True):
        assert parameter.grad is not None
        assert earlier is not None
        assert parameter.grad.equal(earlier * factor)


@pytest.mark.parametrize(
    "order", list(itertools.permutations(["gate", "freeze", "ungate", "thaw"]))
)
@pytest.mark.parametrize("site", ["param:encoder.0.weight", "output:encoder"])
def test_gates_and_freezes_of_the_same(site: str, order: tuple[str, ...]) -> None:
    """Whatever comes first, each does its own; at the end all train, and detach restores it."""
    model = Branched()
    optimizer = OPTIMIZERS["adamw"](list(model.parameters()))
    with gating.attached(model, optimizer) as run:
        gated = frozen = False
        step = 0
        for deed in order:
            if deed == "gate" and not (frozen and site.startswith("param")):
                run.gate(site)
                gated = True
            elif deed == "gate":
                with pytest.raises(probe.CommandError, match="is frozen, so no gradient"):
                    run.gate(site)
            elif deed == "ungate" and gated:
                run.ungate(run.gates()[0].id)
                gated = False
            elif deed == "freeze":
                run.freeze("encoder.0")
                frozen = True
            elif deed == "thaw":
                run.thaw("encoder.0")
                frozen = False
            before = gating.weights(model)
            gating.train(model, optimizer, 2, first=step + 1)
            step += 2
            moved = gating.weights(model)["encoder.0.weight"] != before["encoder.0.weight"]
            state = gating.states(run)["encoder.0.weight"]
            assert moved == (not gated and not frozen), deed
            assert state == ("frozen" if frozen else "gated" if gated else "present")
        saved = run.state_dict()
        run.load_state_dict(saved)
    assert all(p.requires_grad for p in model.parameters())
