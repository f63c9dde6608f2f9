"""The norms of gradients that come to gates."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from gradgate.probe.base.guard import Guard
from gradgate.probe.gates.norms import Figures, GateNorms, norm_of
from tests.support import gating
from tests.support.gating import OPTIMIZERS, Branched


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


def test_of_several_norms_in_a_step_the_largest_is_told() -> None:
    """A module that is called twice has two norms a step; the metric is the larger, or null."""
    with gating.attached(Branched()) as run:
        run.gate("output:encoder")
        (gate,) = gating.gates_at_work(run)
        norms = GateNorms(Guard())
        for step, norm in ((1, 3.0), (1, 5.0), (1, 4.0), (2, math.inf), (2, 1.0)):
            norms.add(gate, step, torch.tensor([norm]), closed=False)
        figures: Figures = {}
        norms.read(figures)
        assert figures == {1: {"gate 1 norm": 5.0}, 2: {"gate 1 norm": None}}
        assert gating.only_gate(run).norm_in == 1.0
        again: Figures = {}
        norms.read(again)
        assert again == {}


def test_a_norm_that_cannot_be_taken_in_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault at one gate's norm is counted; norms before and behind it arrive."""
    monkeypatch.delenv("GRADGATE_STRICT", raising=False)
    with gating.attached(Branched()) as run:
        for _ in range(3):
            run.gate("output:encoder")
        gates, guard = gating.gates_at_work(run), Guard()
        norms = GateNorms(guard)
        for number, gate in enumerate(gates, 1):
            norms.add(gate, 1, torch.tensor([float(number)]), closed=False)
        monkeypatch.setattr(gates[1], "record_norm", gating.broken)
        figures: Figures = {}
        norms.read(figures)
        assert figures == {1: {"gate 1 norm": 1.0, "gate 3 norm": 3.0}}
        assert guard.faults == 1


def test_the_norm_of_nothing_is_zero() -> None:
    """A gradient without elements, or a sparse one without entries, has a norm of 0."""
    assert norm_of(torch.ones(0, 3), None).tolist() == [0.0]
    assert norm_of(torch.zeros(4).to_sparse(), None).tolist() == [0.0]
    assert norm_of(torch.tensor([30.0, 40.0]), torch.tensor([10.0])).tolist() == [5.0]
