"""Parameters that get no gradient because of a gate stay where they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

from gradgate import probe
from gradgate.probe.gates import blocked
from gradgate.probe.torch_compat.tensors import set_requires_grad
from tests.support import gating
from tests.support.asking import batch, critic
from tests.support.gating import OPTIMIZERS, SITES, Branched, pair
from tests.support.zoo import weights


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


def test_a_gate_that_fails_before_the_forward_leaves_the_others_to_be_decided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fault in deciding one gate on a parameter leaves the next one closed."""
    monkeypatch.delenv("GRADGATE_STRICT", raising=False)
    model = Branched()
    optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
    with gating.attached(model, optimizer) as run:
        run.gate("param:head.weight")
        run.gate("param:head.bias")
        monkeypatch.setattr(gating.gates_at_work(run)[0], "decide", gating.broken)
        gating.train(model, optimizer, 1)
        assert gating.states(run)["head.weight"] == "present"
        assert gating.states(run)["head.bias"] == "gated"


def test_a_gradient_that_cannot_be_judged_leaves_the_others_to_be_cleared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fault at one gradient before the optimizer's step keeps no other gated one in place."""
    monkeypatch.delenv("GRADGATE_STRICT", raising=False)
    model = Branched()
    optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
    with gating.attached(model, optimizer) as run:
        gating.train(model, optimizer, 2, set_to_none=False)
        run.gate("output:encoder")
        measurement = gating.parts(run).step.measurement
        is_new = measurement.is_new

        def sometimes(index: int, grad: Tensor) -> bool:
            return gating.broken() if grad is bad else is_new(index, grad)

        bad = model.encoder[0].weight.grad
        monkeypatch.setattr(measurement, "is_new", sometimes)
        gating.train(model, optimizer, 1, first=3, set_to_none=False)
        assert model.encoder[0].weight.grad is bad
        assert model.encoder[0].bias.grad is None
        assert model.encoder[2].weight.grad is None


def all_but(broken: Tensor) -> Callable[[Tensor, bool], None]:
    """Set ``requires_grad``, but of one parameter."""

    def set_flag(parameter: Tensor, flag: bool) -> None:
        if parameter is broken:
            gating.broken()
        set_requires_grad(parameter, flag)

    return set_flag


def test_a_parameter_that_cannot_be_released_leaves_the_others_trained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fault in letting one parameter be trained again happens to that one alone."""
    monkeypatch.delenv("GRADGATE_STRICT", raising=False)
    model = Branched()
    optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
    with gating.attached(model, optimizer) as run:
        for name in ("head.weight", "head.bias", "stem.bias"):
            run.gate(f"param:{name}")
        with monkeypatch.context() as patch:
            fault = all_but(model.head.bias)
            model.head.register_forward_hook(
                lambda *_: patch.setattr(blocked, "set_requires_grad", fault)
            )
            gating.loss_of(model, 1).backward()
        assert len(gating.parts(run).blocked.before_forward) == 3
        assert model.head.weight.requires_grad
        assert model.stem.bias.requires_grad
        assert not model.head.bias.requires_grad


def test_what_was_blocked_in_one_step_is_not_so_in_the_next() -> None:
    """A parameter that no loss reaches after its gate has opened is absent, and not gated."""
    model = Branched()
    with gating.attached(model) as run:
        run.gate("output:encoder", "step == 1")
        gating.loss_of(model, 1).backward()
        run.step()
        assert gating.states(run)["encoder.0.weight"] == "gated"
        model.zero_grad()
        model.head(torch.ones(1, 8)).sum().backward()
        run.step()
        assert gating.states(run)["encoder.0.weight"] == "absent"


def test_what_is_blocked_before_the_forward_stays_so_all_step_long() -> None:
    """A gradient that the script itself writes behind a closed gate is none that came through."""
    model = Branched()
    optimizer = OPTIMIZERS["sgd"](list(model.parameters()))
    with gating.attached(model, optimizer) as run:
        run.gate("param:bypass.weight")
        before = gating.weights(model)["bypass.weight"]
        gating.loss_of(model, 1).backward()
        model.bypass.weight.grad = torch.ones_like(model.bypass.weight)
        assert gating.parts(run).blocked.find() == gating.parts(run).blocked.before_forward != set()
        optimizer.step()
        assert gating.weights(model)["bypass.weight"] == before


@pytest.mark.parametrize("left", ["by hand", "from before"])
def test_a_step_without_a_forward_moves_nothing_that_a_gate_keeps(left: str) -> None:
    """Neither by what the script assigns nor by what an earlier step has left."""
    model = Branched()
    optimizer = OPTIMIZERS["adamw"](list(model.parameters()))
    with gating.attached(model, optimizer) as run:
        gating.train(model, optimizer, 2)
        run.gate("param:head.weight", "step < 5")
        before = gating.weights(model)
        for _ in range(2):
            if left == "by hand":
                model.head.weight.grad = torch.ones_like(model.head.weight)
            optimizer.step()
        after = gating.weights(model)
        assert after["head.weight"] == before["head.weight"]
        assert after["head.bias"] != before["head.bias"]
        assert gating.only_gate(run).closed_steps == (2 if left == "by hand" else 1)
        assert model.head.weight.requires_grad
        model.head.weight.grad = torch.ones_like(model.head.weight)
        optimizer.step()
        assert gating.weights(model)["head.weight"] != before["head.weight"]
        assert not gating.only_gate(run).closed


Set = Callable[[nn.Parameter, bool], object]
SETTERS: dict[str, Set] = {
    "by assignment": lambda p, flag: setattr(p, "requires_grad", flag),
    "by method": lambda p, flag: p.requires_grad_(flag),
    "in one go": lambda p, flag: nn.ParameterList([p]).requires_grad_(flag),
}


@pytest.mark.parametrize("set_flag", SETTERS.values(), ids=SETTERS)
def test_what_the_script_freezes_in_a_step_stays_so(set_flag: Set) -> None:
    """The gate keeps it for the step, and lets go of what is then the script's."""
    model = critic()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.gate("param:0.weight")
        model(batch()).sum().backward()
        set_flag(model[0].weight, False)
        optimizer.step()
        assert not model[0].weight.requires_grad
        set_flag(model[0].weight, True)
        before = weights(model)["0.weight"]
        model(batch()).sum().backward()
        optimizer.step()
        assert weights(model)["0.weight"] == before, "the gate stands, whoever sets the flag"
        assert run.gates()[0].closed_steps == 2
        assert model[0].weight.requires_grad
    assert model[0].weight.requires_grad


@pytest.mark.parametrize("gated", ["judge.0.weight", "maker.weight"])
def test_a_loop_that_gives_back_the_flags_that_it_found(gated: str) -> None:
    """As Lightning's, with two optimizers in a step: nothing is frozen for good, nor let past."""
    models = nn.ModuleDict({"maker": nn.Linear(4, 4), "judge": critic()})
    optimizers = [torch.optim.AdamW(net.parameters(), lr=0.1) for net in models.values()]

    def iterate() -> None:
        for chosen, optimizer in zip(models.values(), optimizers, strict=True):
            found = {p: p.requires_grad for p in models.parameters()}
            for parameter in models.parameters():
                parameter.requires_grad = False
            for parameter in chosen.parameters():
                parameter.requires_grad = found[parameter]
            optimizer.zero_grad()
            models["judge"](models["maker"](batch())).mean().backward()
            optimizer.step()
            for parameter, flag in found.items():
                parameter.requires_grad = flag

    with probe.attach(dict(models.items()), optimizers, server=False, every=1) as run:
        iterate()
        number = run.gate(f"param:{gated}")
        before = weights(models)
        for _ in range(3):
            iterate()
        after = weights(models)
        assert {name for name in after if after[name] == before[name]} == {gated}
        assert run.gates()[0].closed_steps == 3
        run.ungate(number)
        iterate()
    assert weights(models)[gated] != before[gated]
    assert all(parameter.requires_grad for parameter in models.parameters())


def test_flags_that_are_kept_and_given_back_after_a_forward() -> None:
    """As around an attack on the same batch: what the script finds is its own."""
    model = critic()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.gate("param:0.weight")
        before = weights(model)["0.weight"]
        for _ in range(2):
            clean = model(batch()).sum()
            found = {p: p.requires_grad for p in model.parameters()}
            model.requires_grad_(False)
            model(batch(requires_grad=True)).sum().backward()
            assert not any(parameter.requires_grad for parameter in model.parameters())
            for parameter, flag in found.items():
                parameter.requires_grad = flag
            (clean + model(batch()).sum()).backward()
            optimizer.step()
        assert weights(model)["0.weight"] == before
        assert run.gates()[0].closed_steps == 2
        assert all(found.values())
    assert all(parameter.requires_grad for parameter in model.parameters())


class Failing(nn.Module):
    """Has a forward that may raise, and notes what requires a gradient in it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 2)
        self.seen: list[bool] = []
        self.fails = False

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(self.inner.bias.requires_grad)
        if self.fails:
            raise ValueError("no batch")
        out: Tensor = self.inner(x)
        return out


def test_flags_are_back_before_any_hook_of_the_scripts_is_called() -> None:
    """Whether it was there before the gate was, or before Gradgate; and once more each time."""
    model, after = Failing(), list[bool]()
    model.register_forward_hook(lambda *_: after.append(model.inner.bias.requires_grad))
    with probe.attach(model, SGD(model.parameters(), 0.1), server=False) as run:
        run.gate("param:inner.bias")
        hooks = set[int]()
        for _ in range(3):
            model(torch.ones(1, 3)).sum().backward()
            hooks.add(len(model._forward_hooks))
        assert (model.seen, after) == ([False] * 3, [True] * 3)
        assert len(hooks) == 1
    assert len(model._forward_hooks) == 1


def test_flags_are_back_after_a_forward_that_raises() -> None:
    """Before the script looks at them, who catches what it raised."""
    model = Failing()
    with probe.attach(model, SGD(model.parameters(), 0.1), server=False) as run:
        run.gate("param:inner.bias")
        model.fails = True
        with pytest.raises(ValueError, match="no batch"):
            model(torch.ones(1, 3))
        assert model.seen == [False]
        assert model.inner.bias.requires_grad
