"""No command makes a call of the script's raise, and what it is answered is right."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import grad as held_by_the_script
from torch.autograd.graph import get_gradient_edge as edge_by_own_name
from torch.func import stack_module_state

from gradgate import probe
from tests.support import asking
from tests.support.steered import chain, steps
from tests.support.zoo import loss_of, weights

Command = Callable[[probe.Run], object]
COMMANDS: dict[str, Command] = {
    "freeze a layer": lambda run: run.freeze("0"),
    "freeze everything": lambda run: run.freeze("*"),
    "freeze without a graph": lambda run: run.freeze("0", mode="no_grad"),
    "block in the forward": lambda run: run.gate("output:0"),
    "block in the backward": lambda run: run.gate("output:", "norm >= 0"),
    "block at an input": lambda run: run.gate("input:2"),
    "block a parameter": lambda run: run.gate("param:0.weight"),
    "block at a parameter": lambda run: run.gate("param:0.weight", "norm >= 0"),
    "clip": lambda run: run.gate("output:0", action="clip", max_norm=1e-3),
}


# torch.func.jvp itself loads decompositions through torch.jit.
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_no_command_makes_a_call_of_the_scripts_raise(command: Command) -> None:
    """Whatever of autograd it calls that was right before, and in the steps after the command."""
    for call in asking.CALLS.values():
        model = asking.critic()
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
        with probe.attach(model, optimizer, server=False) as run:
            command(run)
            for _ in range(2):
                optimizer.zero_grad()
                call(model)
                optimizer.step()


@pytest.mark.parametrize("target", ["0", "*"])
def test_what_is_frozen_has_a_gradient_of_zeros(target: str) -> None:
    """All else has the gradient that it has without a freeze; None only where that was allowed."""
    model = asking.critic()
    parameters = list(model.parameters())
    wanted = torch.autograd.grad(asking.loss_of(model), parameters)
    with probe.attach(model, torch.optim.AdamW(parameters), server=False) as run:
        run.freeze(target)
        frozen = [not parameter.requires_grad for parameter in parameters]
        found = held_by_the_script(asking.loss_of(model), parameters)
        allowed = held_by_the_script(asking.loss_of(model), parameters, allow_unused=True)
    for is_frozen, ours, theirs, none in zip(frozen, found, wanted, allowed, strict=True):
        assert ours.equal(torch.zeros_like(theirs) if is_frozen else theirs)
        assert (none is None) == is_frozen


@pytest.mark.parametrize("when", ["True", "norm >= 0"], ids=["in the forward", "in the backward"])
@pytest.mark.parametrize("site", ["output:0", "param:0.weight"])
def test_gradients_assigned_by_hand_are_gated(site: str, when: str) -> None:
    """The zeros of what a closed gate keeps are no gradient: AdamW moves nothing by them."""
    model = asking.critic()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for step in range(6):
            if step == 2:
                run.gate(site, when)
                before = weights(model)
            asking.by_hand(model)
            optimizer.step()
        (gate,) = run.gates()
        states = {info.name: info.state for info in run.parameters()}
    assert (gate.steps, gate.closed_steps, gate.problem) == (4, 4, None)
    gated = {"0.weight"} | ({"0.bias"} if site == "output:0" else set())
    assert set(gate.parameters) == gated
    after = weights(model)
    assert {name for name in after if after[name] == before[name]} == gated
    assert {name for name, state in states.items() if state == "gated"} == gated


def test_the_zeros_of_what_is_asked_for_by_an_edge() -> None:
    """Of the shape, the kind and the place of the gradient that is missing."""
    model = asking.critic().double()
    with probe.attach(model, torch.optim.SGD(model.parameters()), server=False) as run:
        run.gate("input:0")
        x = asking.batch().double().requires_grad_()
        edge = torch.autograd.graph.get_gradient_edge(x)
        (found,) = torch.autograd.grad(model(x).sum(), [edge])
    assert found.equal(torch.zeros_like(x))


def test_an_edge_is_found_by_a_name_of_the_scripts_own() -> None:
    """Of what is frozen, and of what nothing before carries a gradient to; nothing comes there."""
    model = asking.critic()
    x = asking.batch()
    with probe.attach(model, torch.optim.SGD(model.parameters()), server=False) as run:
        run.freeze("0")
        hidden = model[0](x)
        edges = [edge_by_own_name(model[0].weight), edge_by_own_name(hidden)]
        loss = model[2](model[1](hidden)).sum()
        found = torch.autograd.grad(loss, edges, retain_graph=True)
        assert [bool(gradient.any()) for gradient in found] == [False, False]
        edges[0].node.register_hook(lambda *_: pytest.fail("no gradient comes there"))
        loss.backward()
    with pytest.raises(RuntimeError, match="does not require gradients"):
        edge_by_own_name(x)


def test_a_penalty_on_what_a_frozen_generator_made_is_that_of_a_freeze_by_hand() -> None:
    """Its gradient reaches the sample, which the script has given one, and not only the judge."""

    def play(freeze: Callable[[dict[str, nn.Module]], object] | None) -> list[Tensor]:
        torch.manual_seed(3)
        both = {"maker": nn.Linear(4, 4), "judge": asking.critic()}
        optimizers = [torch.optim.SGD(m.parameters(), lr=0.1) for m in both.values()]
        run = probe.attach(both, optimizers, server=False) if freeze is None else None
        if run is not None:
            run.freeze("maker")
            run.freeze("judge.0.bias")
        else:
            assert freeze is not None
            freeze(both)
        made = both["maker"](asking.batch()).requires_grad_()
        (slope,) = torch.autograd.grad(both["judge"](made).sum(), made, create_graph=True)
        slope.square().sum().backward()
        if run is not None:
            run.detach()
        return [made.grad, *(p.grad for p in both["judge"].parameters() if p.grad is not None)]

    def by_hand(both: dict[str, Any]) -> None:
        both["maker"].requires_grad_(False)
        both["judge"][0].bias.requires_grad_(False)

    ours, theirs = play(None), play(by_hand)
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.equal(other)


def test_a_hook_on_a_frozen_parameter_is_called_once_it_is_thawed() -> None:
    """As it is when it was registered before the freeze."""
    model, optimizer = chain()
    seen: list[Tensor] = []
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("stem")
        model.stem.weight.register_hook(seen.append)
        assert not model.stem.weight.requires_grad
        steps(model, optimizer, 1, 2)
        assert not seen
        run.thaw("stem")
        steps(model, optimizer, 3, 3)
        assert len(seen) == 1


@pytest.mark.parametrize("clip", [nn.utils.clip_grad_norm_, nn.utils.clip_grad_value_])
def test_clipping_may_be_compiled_in_one_graph_beside_a_freeze(clip: Callable[..., Any]) -> None:
    """Nothing that stands around torch's functions then is what a compiler cannot trace."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("stem")
        loss_of(model, 1).backward()
        by_hand = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
        torch.compile(clip, backend="eager", fullgraph=True)(list(model.parameters()), 1e-3)
        clipped = [p.grad for p in model.parameters()]
    for parameter, grad in zip(model.parameters(), by_hand, strict=True):
        parameter.grad = grad
    clip(list(model.parameters()), 1e-3)
    for parameter, wanted in zip(model.parameters(), clipped, strict=True):
        assert (parameter.grad is None) is (wanted is None)
        assert wanted is None or torch.equal(wanted, parameter.grad)


def test_a_script_may_stack_models_of_which_one_is_frozen() -> None:
    """What it gets trains, as before: it is a copy, and none of the parameters that are frozen."""
    first, second = asking.critic(), asking.critic()
    optimizer = torch.optim.SGD(first.parameters())
    with probe.attach(first, optimizer, server=False) as run:
        run.freeze("0")
        parameters, _ = stack_module_state([first, second])
        assert all(each.requires_grad and each.is_leaf for each in parameters.values())
        assert not first[0].weight.requires_grad


def test_the_scripts_own_mistakes_are_its_own_without_a_command() -> None:
    """From the step after the last command was undone; with one, what is let through is logged."""
    model, optimizer = chain()
    own = torch.Tensor.register_hook, torch.autograd._engine_run_backward
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("stem")
        assert own[0] is not torch.Tensor.register_hook
        run.thaw("stem")
        steps(model, optimizer, 1, 2)
        with pytest.raises(RuntimeError, match="does not require grad"):
            loss_of(model, 1).detach().backward()
        assert own[0] is torch.Tensor.register_hook
        run.gate("output:stem")
    assert own == (torch.Tensor.register_hook, torch.autograd._engine_run_backward)


def test_what_is_let_through_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """It may be a mistake of the script's, which no exception tells of."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("*")
        with caplog.at_level(logging.INFO, "gradgate"):
            steps(model, optimizer, 1, 3)
    (record,) = [r for r in caplog.records if "while parameters are frozen" in r.getMessage()]
    assert "asked for gradients where nothing requires one" in record.getMessage()


def test_what_can_carry_no_gradient_is_the_scripts_mistake() -> None:
    """No command has made an integer of it."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("*")
        with pytest.raises(RuntimeError, match="does not require grad"):
            torch.ones(1, dtype=torch.int64).sum().backward()


def test_optimizers_that_step_inside_the_backward_end_their_step_without_one() -> None:
    """With all frozen nothing is left to do in it, and a thaw still takes effect."""
    model, _ = chain()
    optimizers = {p: torch.optim.SGD([p], lr=0.1) for p in model.parameters()}

    def step_at_once(parameter: Tensor) -> None:
        optimizers[parameter].step()  # type: ignore[index]
        optimizers[parameter].zero_grad()  # type: ignore[index]

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(step_at_once)
    with probe.attach(model, list(optimizers.values()), server=False, every=1) as run:
        loss_of(model, 1).backward()
        run.freeze("*")
        for step in range(2, 5):
            loss_of(model, step).backward()
        assert run.parameters()[0].step == 4
        run.thaw("*")
        before = weights(model)
        loss_of(model, 5).backward()
        assert weights(model) != before


@pytest.mark.parametrize("asked", ["weight", "both", "input"])
def test_a_gate_is_closed_to_a_backward_that_names_its_inputs(asked: str) -> None:
    """Where the graph is cut, autograd does not come to the gate on its way to them."""
    model, x = asking.critic(), asking.batch(requires_grad=True)
    inputs = {"weight": [model[0].weight], "both": [*model.parameters()], "input": [x]}[asked]
    with probe.attach(model, server=False, every=1) as run:
        run.gate("output:0")
        for _ in range(2):
            model(x).sum().backward(inputs=inputs)
            run.step()
        (gate,) = run.gates()
        assert (gate.steps, gate.closed_steps) == (2, 2)
        assert model[0].weight.grad is None
        assert x.grad is None


@pytest.mark.parametrize("action", ["scale", "clip", "block"])
@pytest.mark.parametrize(
    "as_asked", [lambda tensor: tensor, torch.autograd.graph.get_gradient_edge]
)
def test_a_gate_on_a_parameter_acts_on_what_is_asked_for_by_an_edge(
    action: str, as_asked: Callable[[torch.Tensor], Any]
) -> None:
    """A gradient that ``grad`` returns passes it as it does where the tensor is asked for."""
    model = asking.critic()
    options = {"scale": {"factor": 0.0}, "clip": {"max_norm": 1e-6}, "block": {}}[action]
    with probe.attach(model, torch.optim.SGD(model.parameters()), server=False) as run:
        run.gate("param:0.weight", action=action, **options)
        asked = [as_asked(parameter) for parameter in model.parameters()]
        first, *others = torch.autograd.grad(asking.loss_of(model), asked)
    assert first.norm() < 2e-6
    assert all(other.norm() > 1e-3 for other in others)


@pytest.mark.parametrize(
    "as_asked", [lambda tensor: tensor, torch.autograd.graph.get_gradient_edge]
)
def test_a_gate_knows_what_got_no_gradient_of_inputs_that_are_edges(
    as_asked: Callable[[torch.Tensor], Any],
) -> None:
    """It is gated, and not absent."""
    model = asking.critic()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.gate("output:0")
        for _ in range(3):
            optimizer.zero_grad()
            asking.loss_of(model).backward(inputs=[*map(as_asked, model.parameters())])
            optimizer.step()
        states = {each.name: each.state for each in run.parameters()}
    assert states["0.weight"] == "gated"
    assert states["2.weight"] == "present"
