"""Hooks of gates come and go, and follow the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradgate import probe
from gradgate.probe.gates.site_gates import SiteGates
from gradgate.probe.torch_compat.tensors import hooks_on
from tests.support import gating
from tests.support.gating import OPTIMIZERS, SITES, Branched


def test_detach_leaves_the_model_as_it_was() -> None:
    """With every kind of gate made and closed, detach takes every hook and flag back."""
    model = Branched()

    def traces() -> list[object]:
        return [
            (dict(m._forward_hooks), dict(m._forward_pre_hooks), list(vars(m)))
            for m in model.modules()
        ] + [(p.requires_grad, hooks_on(p), sorted(vars(p))) for p in model.parameters()]

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


def test_a_parameter_that_is_replaced_stays_gated() -> None:
    """A gate follows the tensor that takes its parameter's place, and says when none does."""
    model = Branched()
    optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
    with gating.attached(model, optimizer) as run:
        run.gate("param:head.weight", "norm >= 0")
        gating.train(model, optimizer, 1)
        model.head.weight = nn.Parameter(torch.zeros(3, 8))
        gating.train(model, optimizer, 1)
        model.zero_grad()  # of the step in which it was not known yet
        gating.train(model, optimizer, 2)
        assert model.head.bias.grad is not None
        assert model.head.weight.grad is None
        model.head = nn.Sequential(model.head)  # type: ignore[assignment]
        gating.train(model, optimizer, 2)
        assert gating.only_gate(run).parameters == ("head.0.weight",)
        model.head = nn.Sequential(nn.Linear(8, 3))  # type: ignore[assignment]
        gating.train(model, optimizer, 8)
        assert "head.weight is no longer in the model" in str(gating.only_gate(run).problem)


def _cast(model: Branched) -> None:
    model.double()


def _cast_by_hand(model: Branched) -> None:
    for parameter in model.parameters():
        parameter.data = parameter.data.double()


def _load(model: Branched) -> None:
    state = {name: value.double() for name, value in model.state_dict().items()}
    model.load_state_dict(state, assign=True)


@pytest.mark.parametrize("change", [_cast, _cast_by_hand, _load])
@pytest.mark.parametrize(
    "gate", [{"when": "norm >= 0"}, {"action": "scale", "factor": 0.0}, {}], ids=str
)
def test_a_gate_holds_in_the_very_step_after_a_cast(
    change: Callable[[Branched], None], gate: dict[str, Any]
) -> None:
    """Its parameter accumulates by another node from then on, or is another tensor."""
    model = Branched()
    with gating.attached(model) as run:
        run.gate("param:head.weight", **gate)
        gating.loss_of(model, 1).backward()
        run.step()
        change(model)
        model.zero_grad()
        gating.loss_of(model, 2).backward()
        assert not (model.head.weight.grad is not None and model.head.weight.grad.any())
        assert model.head.bias.grad is not None
        run.step()
        assert gating.only_gate(run).closed_steps == 2
        assert gating.only_gate(run).problem is None


def test_a_model_compiled_afterwards() -> None:
    """A model that is compiled after its gate was made trains on, and the gate says why not."""
    torch.compiler.reset()
    model = Branched()
    with gating.attached(model) as run:
        run.gate("output:encoder")
        compiled = torch.compile(model, backend="eager")
        for step in range(1, 7):
            gating.loss_of(compiled, step).backward()  # type: ignore[arg-type]
            run.step()
        assert "is compiled without the gate" in str(gating.only_gate(run).problem)
    assert model.encoder[0].weight.grad is not None
    torch.compiler.reset()


def test_the_last_gate_takes_all_hooks_with_it() -> None:
    """While one gate is left its hooks stay; with the last one none is left anywhere."""
    model = Branched()

    def hooks() -> int:
        return sum(
            len(module._forward_hooks) + len(module._forward_pre_hooks)
            for module in model.modules()
        )

    with gating.attached(model) as run:
        before, registry = hooks(), gating.parts(run).registry
        for site in ("output:encoder", "output:encoder", "input:head", "site:encoded"):
            registry.apply(gating.command(site), 0)
        assert hooks() == before + 3  # two sites, and the end of the forward
        registry.delete(1)
        assert hooks() == before + 3
        registry.delete(2)
        registry.delete(3)
        assert hooks() == before + 1
        registry.delete(4)
        assert hooks() == before


def test_a_gate_that_cannot_follow_leaves_the_others_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in finding one gate's parameter at a boundary leaves the next one's followed."""
    monkeypatch.delenv("GRADGATE_STRICT", raising=False)
    model = Branched()
    optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
    with gating.attached(model, optimizer) as run:
        run.gate("param:stem.weight", "norm >= 0")
        run.gate("param:head.weight", "norm >= 0")
        monkeypatch.setattr(gating.gates_at_work(run)[0], "find_parameter", gating.broken)
        model.head.weight = nn.Parameter(torch.zeros(3, 8))
        gating.train(model, optimizer, 1)
        model.zero_grad()
        gating.train(model, optimizer, 1)
        assert model.head.weight.grad is None
        assert model.head.bias.grad is not None


def test_a_site_that_cannot_be_looked_at_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fault at one site, after a forward or at the end, happens to that one alone."""
    monkeypatch.delenv("GRADGATE_STRICT", raising=False)

    class Writes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.flat = nn.Linear(6, 3), nn.Flatten()

        def forward(self, x: Tensor) -> Tensor:
            x = self.flat(self.stem(x))
            x += 1
            return x

    def at_stem(real: Callable[[SiteGates], None]) -> Callable[[SiteGates], None]:
        return lambda site: gating.broken() if site.site.name == "stem" else real(site)

    model = Writes()
    with gating.attached(model) as run:
        before = [len(module._forward_hooks) for module in model.modules()]
        run.gate("output:stem")
        run.gate("output:flat")
        with monkeypatch.context() as patch:
            patch.setattr(SiteGates, "find_rewrites", at_stem(SiteGates.find_rewrites))
            gating.loss_of(model, 1).backward()
            run.step()
        assert "is changed in place" in str(run.gates()[1].problem)
        with monkeypatch.context() as patch:
            patch.setattr(SiteGates, "remove", at_stem(SiteGates.remove))
            gating.parts(run).registry.remove()
        after = [len(module._forward_hooks) for module in model.modules()]
        assert [now - then for now, then in zip(after, before, strict=True)] == [0, 1, 0]
