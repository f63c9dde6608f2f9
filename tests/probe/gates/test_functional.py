"""Gates where the gradient goes to other tensors than the parameters, as in ``torch.func``."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, functionalize, grad, jacrev, jvp, vmap

from gradgate import probe
from tests.support import gating
from tests.support.asking import batch, critic, tensors
from tests.support.zoo import weights

Gradients = Callable[[nn.Sequential], dict[str, Tensor]]
NORM = "norm >= 0"


def whole(model: nn.Sequential) -> dict[str, Tensor]:
    """Of a loss, by ``torch.func.grad``."""
    return grad(lambda given: functional_call(model, given, batch()).square().mean())(
        tensors(model)
    )


def per_sample(model: nn.Sequential) -> dict[str, Tensor]:
    """The mean of those of each sample."""

    def loss(given: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(model, given, x[None]).square().mean()  # type: ignore[no-any-return]

    found = vmap(grad(loss), (None, 0))(tensors(model), batch())
    return {name: each.mean(0) for name, each in found.items()}


def jacobian(model: nn.Sequential) -> dict[str, Tensor]:
    """The mean of the rows of a jacobian."""
    found = jacrev(lambda given: functional_call(model, given, batch()).flatten())(tensors(model))
    return {name: each.mean(0) for name, each in found.items()}


def of_copies(model: nn.Sequential) -> dict[str, Tensor]:
    """Of copies that require a gradient, without a transform."""
    copies = {name: tensor.clone().requires_grad_() for name, tensor in tensors(model).items()}
    loss = functional_call(model, copies, batch()).square().mean()
    return dict(zip(copies, torch.autograd.grad(loss, list(copies.values())), strict=True))


WAYS: dict[str, Gradients] = {way.__name__: way for way in (whole, per_sample, jacobian, of_copies)}


def assign(model: nn.Sequential, optimizer: torch.optim.Optimizer, way: Gradients) -> None:
    """Train by gradients that are assigned by hand."""
    found = way(model)
    for name, parameter in model.named_parameters():
        parameter.grad = found[name]
    optimizer.step()


def moved_by(
    way: Gradients,
    site: str,
    when: str = "True",
    action: str = "block",
    factor: float | None = None,
) -> tuple[set[str], probe.GateInfo, list[str | None]]:
    """Train with a gate; return what moved, the gate, and its problem after each step."""
    model = critic()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    with gating.attached(model, optimizer) as run:
        for _ in range(2):
            assign(model, optimizer, way)
        before, problems = weights(model), []
        run.gate(site, when, action, factor=factor)
        for _ in range(3):
            assign(model, optimizer, way)
            problems.append(gating.only_gate(run).problem)
        after = weights(model)
        return {n for n in after if after[n] != before[n]}, gating.only_gate(run), problems


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("site", ["output:0", "input:2", "param:0.weight"])
def test_what_is_blocked_is_not_moved_by_zeros_that_stand_for_its_gradient(
    way: Gradients, site: str
) -> None:
    """AdamW, which moves by momentum and decay, has no gradient to step by."""
    moved, gate, problems = moved_by(way, site)
    blocked = {"0.weight"} if site == "param:0.weight" else {"0.weight", "0.bias"}
    assert moved == {"0.weight", "0.bias", "2.weight", "2.bias"} - blocked
    assert (gate.steps, gate.closed_steps, set(gate.parameters)) == (3, 3, blocked)
    assert problems == [None] * 3


@pytest.mark.parametrize(
    ("way", "site", "action", "why"),
    [
        (whole, "param:0.weight", "block", "the model ran inside torch.func"),
        (whole, "param:0.weight", "scale", "the model ran inside torch.func"),
        (of_copies, "param:0.weight", "block", "with another tensor in the parameter's place"),
        (per_sample, "output:0", "block", "open, because the condition needs the norm"),
        (jacobian, "output:0", "scale", "open, because the condition needs the norm"),
    ],
)
def test_a_gate_that_cannot_act_says_so_in_its_first_step(
    way: Gradients, site: str, action: str, why: str
) -> None:
    """And is never shown closed."""
    factor = 0.5 if action == "scale" else None
    moved, gate, problems = moved_by(way, site, NORM, action, factor)
    assert "0.weight" in moved
    assert gate.closed_steps == 0
    assert not gate.closed
    assert all(why in str(problem) for problem in problems)


@pytest.mark.parametrize("when", ["True", NORM])
def test_a_parameter_that_the_script_moves_itself_is_not_held(when: str) -> None:
    """Its gradient was never the parameter's own, and the gate does not claim to have kept it."""
    model = critic()
    with gating.attached(model) as run:
        run.gate("param:0.weight", when)
        found = whole(model)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter -= found[name]
        run.step()
        gate = gating.only_gate(run)
        assert gate.closed_steps == 0
        assert "the model ran inside torch.func" in str(gate.problem)
        assert gating.states(run)["0.weight"] == "absent"
        gating.loss_of(nn.Sequential(nn.Linear(6, 4), model, nn.Linear(1, 3)), 1).backward()
        run.step()
        gate = gating.only_gate(run)
        assert (gate.closed, gate.problem) == (True, None)


def slope_of_loss(model: nn.Sequential) -> Tensor:
    """Differentiated again by what the parameters are, outside of the transform."""
    given = dict(model.named_parameters())
    found = grad(lambda p: functional_call(model, p, batch()).square().mean())(given)
    return sum(each.square().sum() for each in found.values())  # type: ignore[return-value]


def of_each_sample(model: nn.Sequential) -> Tensor:
    return vmap(model)(batch()).square().mean()


def tangent(model: nn.Sequential) -> Tensor:
    return jvp(model, (batch(),), (torch.ones(5, 4),))[1].square().sum()


# torch.func.jvp itself loads decompositions through torch.jit.
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
@pytest.mark.parametrize("when", ["True", NORM])
@pytest.mark.parametrize("site", ["output:0", "input:2"])
@pytest.mark.parametrize("loss", [slope_of_loss, of_each_sample, tangent])
def test_a_gate_acts_on_every_graph_that_is_made_inside_a_transform(
    loss: Callable[[nn.Sequential], Tensor], site: str, when: str
) -> None:
    """The backward through the transform is the job's own, and reaches the parameters."""
    model = critic()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    with gating.attached(model, optimizer) as run:
        before = weights(model)
        run.gate(site, when)
        for _ in range(2):
            optimizer.zero_grad()
            loss(model).backward()
            optimizer.step()
        gate = gating.only_gate(run)
    moved = {name for name, weight in weights(model).items() if weight != before[name]}
    assert moved <= {"2.weight", "2.bias"}
    assert "2.weight" in moved
    assert (gate.closed_steps, gate.problem) == (2, None)


@pytest.mark.parametrize("when", ["True", "norm > 0"])
@pytest.mark.parametrize("factor", [0.0, -1.0])
def test_a_gate_decides_where_tensors_have_no_storage(when: str, factor: float) -> None:
    """As within functionalize, where nobody but torch can read a norm."""
    model = critic()
    loss = grad(lambda x: model(x).square().mean())
    plain = loss(batch())
    with gating.attached(model) as run:
        run.gate("output:0", when, "scale", factor=factor)
        found = functionalize(loss)(batch())
        assert gating.only_gate(run).problem is None
    assert torch.equal(found, plain * factor)


def test_the_norm_inside_a_transform_is_that_without() -> None:
    """Also the one that a condition asks for."""
    _, inside, _ = moved_by(whole, "output:0", NORM)
    _, outside, _ = moved_by(of_copies, "output:0", NORM)
    assert inside.norm_in == pytest.approx(outside.norm_in)


@pytest.mark.parametrize("site", ["output:0", "param:0.weight"])
def test_an_error_inside_is_told_as_the_gates_problem(
    site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gradient has passed, whatever was decided before, so the gate was not closed."""
    monkeypatch.delenv("GRADGATE_STRICT", raising=False)
    model = critic()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    with gating.attached(model, optimizer) as run:
        run.gate(site, NORM, "scale", factor=0.0)
        (gate,) = gating.gates_at_work(run)
        with monkeypatch.context() as patch:
            patch.setattr(type(gate.action), "pass_on", gating.broken)
            model(batch()).sum().backward()
        assert model[0].weight.grad is not None
        assert model[0].weight.grad.any()
        optimizer.step()
        info = gating.only_gate(run)
        assert (info.steps, info.closed_steps) == (1, 0)
        assert str(info.problem).startswith("open, because gradgate failed inside (")
        optimizer.zero_grad()
        model(batch()).sum().backward()
        optimizer.step()
        assert (gating.only_gate(run).closed_steps, gating.only_gate(run).problem) == (1, None)
