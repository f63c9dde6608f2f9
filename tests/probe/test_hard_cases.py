"""Loops and models that break a careless probe; each was seen to."""

from __future__ import annotations

import copy
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

from gradgate import probe
from gradgate.probe.freeze.checksums import checksums
from gradgate.probe.model.commands import FreezeCommand
from gradgate.probe.session.run import job_of
from gradgate.probe.steer.steering import Steering
from tests.support import zoo

NOBODY = "http://127.0.0.1:9"


def plain() -> tuple[Any, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = zoo.Plain()
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def one_step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    zoo.loss_of(model, 1).backward()
    optimizer.step()


def states(run: probe.Run) -> list[str]:
    return [info.state for info in run.parameters()]


def recorded(run: probe.Run) -> list[Any]:
    """Every report from now on."""
    reports: list[Any] = []
    job_of(run).reports.add_listener(reports.append)
    return reports


# Freezing under checkpointing, unusual outputs, and torch.func.


class Segments(nn.Module):
    """Checkpointed segments of a sequence of layers."""

    def __init__(self, middle: nn.Module, *, reentrant: bool) -> None:
        super().__init__()
        self.reentrant = reentrant
        self.q = nn.Sequential(
            nn.Linear(4, 4), middle, nn.Linear(4, 4), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint_sequential(  # type: ignore[no-any-return]
            self.q, 2, x, use_reentrant=self.reentrant
        )


@pytest.mark.parametrize("outer", [True, False], ids=["called", "forward"])
@pytest.mark.parametrize("middle", [nn.GELU, nn.Tanh, lambda: nn.Dropout(0.5)])
def test_checkpointing_gives_the_gradients_of_a_freeze_by_hand(
    middle: Callable[[], nn.Module], outer: bool
) -> None:
    """With a frozen layer inside a checkpoint the trainable layers' gradients are bitwise equal."""
    torch.manual_seed(0)
    by_hand = Segments(middle(), reentrant=False)
    model = copy.deepcopy(by_hand)
    x = torch.randn(3, 4)
    by_hand.q[0].requires_grad_(False)
    torch.manual_seed(1)
    by_hand(x).sum().backward()
    with probe.attach(model, torch.optim.SGD(model.parameters()), server=False) as run:
        run.freeze("q.0")
        torch.manual_seed(1)
        (model(x) if outer else model.forward(x)).sum().backward()
    for (name, ours), theirs in zip(model.named_parameters(), by_hand.parameters(), strict=True):
        assert (ours.grad is None) == (theirs.grad is None), name
        if ours.grad is not None and theirs.grad is not None:
            assert torch.equal(ours.grad, theirs.grad), name


def test_a_checkpointed_inner_module_with_a_frozen_part_still_trains() -> None:
    """What forward and recomputation save has the same number of tensors."""
    model = nn.ModuleDict({"encoder": nn.Linear(4, 4), "head": nn.Linear(2, 1)})
    optimizer = torch.optim.SGD(model.parameters())
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("encoder")

        def inner(x: Tensor) -> Tensor:
            return model["head"](torch.relu(model["encoder"](x))[:, :2])  # type: ignore[no-any-return]

        checkpoint(inner, torch.randn(3, 4), use_reentrant=False).sum().backward()
        assert model["head"].weight.grad is not None
        assert model["encoder"].weight.grad is None


class Dummy(nn.Module):
    """A reentrant checkpoint kept in the graph by an input that its inside does not use."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(6, 6)
        self.head = nn.Linear(6, 3)
        self.extra = torch.zeros(1, requires_grad=True)

    def forward(self, x: Tensor) -> Tensor:
        x = checkpoint(lambda x, _: self.body(x), x, self.extra, use_reentrant=True)
        return self.head(x)  # type: ignore[no-any-return]


def test_a_reentrant_checkpoint_whose_inside_is_frozen_does_not_raise() -> None:
    """By hand its backward raises "none of output has requires_grad=True"."""
    model = Dummy()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("body")
        one_step(model, optimizer)
        assert model.head.weight.grad is not None


class Blocks(nn.Module):
    """A model whose parts the script calls one by one, through a method of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(6, 6) for _ in range(3))
        self.head = nn.Linear(6, 3)

    def features(self, x: Tensor) -> list[Tensor]:
        found = []
        for block in self.blocks:
            x = x + torch.tanh(block(x))
            found.append(x)
        return found


def test_frozen_modules_called_one_by_one_compute_no_gradient_for_each_other() -> None:
    """Only what stands between two of them is in the graph; the trained head's is by hand's."""
    torch.manual_seed(0)
    model = Blocks()
    x = zoo.batch(1)[0]
    with probe.attach(model, torch.optim.SGD(model.parameters(), lr=0.1), server=False) as run:
        run.freeze("blocks")
        features = model.features(x)
        model.head(features[-1]).sum().backward()
        gradient = model.head.weight.grad.clone()
        pending, found = [features[-1].grad_fn], set()
        while pending:
            node = pending.pop()
            found.add(type(node).__name__)
            pending += [following for following, _ in node.next_functions if following]
        assert "AddmmBackward0" not in found
        run.thaw("blocks.0")
        model.head(model.features(x)[-1]).sum().backward()
        assert model.blocks[0].weight.grad is not None
    model.zero_grad()
    model.head(model.features(x)[-1].detach()).sum().backward()
    assert torch.equal(gradient, model.head.weight.grad)


@dataclass
class Output:
    """What a forward may return."""

    logits: Any
    label: str = "x"


@dataclass(slots=True)
class Slotted:
    """The same without a dict of attributes."""

    logits: Any


class Attributes(dict[str, Any]):
    """A dict whose keys are attributes too, as configuration libraries have it."""


@pytest.mark.parametrize(
    "wrap",
    [
        lambda logits: logits,
        lambda logits: {"a": [logits]},
        lambda logits: (logits, 3, None),
        Output,
        lambda logits: torch.distributions.Categorical(logits=logits),
        lambda logits: Output({"a": [logits]}),
        Slotted,
        lambda logits: Attributes(a=(logits, 3)),
        lambda logits: [Output(Slotted(logits))],
    ],
    ids=[
        "tensor",
        "nested",
        "tuple",
        "dataclass",
        "distribution",
        "dict in dataclass",
        "slots",
        "dict subclass",
        "dataclass in dataclass",
    ],
)
def test_with_everything_frozen_any_output_can_be_backpropagated(
    wrap: Callable[[Tensor], Any],
) -> None:
    """The user's backward works through tensors, containers, dataclasses and distributions."""

    class Model(nn.Linear):
        def forward(self, x: Tensor) -> Any:
            return wrap(super().forward(x))

    model = Model(4, 3)
    with probe.attach(model, torch.optim.SGD(model.parameters()), server=False) as run:
        run.freeze("*")
        output = model(torch.randn(2, 4))
        tensor = output
        while not isinstance(tensor, Tensor):
            if isinstance(tensor, dict):
                tensor = tensor["a"]
            elif isinstance(tensor, (tuple, list)):
                tensor = tensor[0]
            else:
                tensor = tensor.logits
        tensor.sum().backward()


# torch.func.jvp itself loads decompositions through torch.jit.
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("target", ["encoder.0", "*"])
def test_function_transforms_work_with_a_freeze(target: str) -> None:
    """torch.func's vmap, jvp and jacrev go through a model with frozen parameters."""
    model, optimizer = plain()
    model.eval()
    x = zoo.batch(1)[0]
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze(target)
        assert torch.func.vmap(model)(x[:, None]).shape == (8, 1, 3)
        assert torch.func.jvp(model, (x,), (x,))[1].shape == (8, 3)
        assert torch.func.jacrev(model)(x).shape == (8, 3, 8, 6)
        assert job_of(run).guard.faults == 0


def test_an_interrupted_forward_leaves_the_anchor_working() -> None:
    """After Ctrl-C in a forward, as in a notebook, an all-frozen model's backward still works."""
    model, optimizer = plain()
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("*")

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        handle = model.encoder.register_forward_hook(interrupt)
        with pytest.raises(KeyboardInterrupt):
            model(zoo.batch(1)[0])
        handle.remove()
        one_step(model, optimizer)


def test_a_trace_of_a_frozen_model_is_possible() -> None:
    """torch.jit.trace and its like see no anchor."""
    model, optimizer = plain()
    model.eval()
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("*")
        with pytest.warns(DeprecationWarning, match="jit.trace"):
            traced = torch.jit.trace(model, (zoo.batch(1)[0],))
        assert torch.equal(traced(zoo.batch(2)[0]), model(zoo.batch(2)[0]))


# Dynamo warns about its own use of deprecated and odd parts of torch.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
@pytest.mark.parametrize("order", ["before", "after", "wrapped"])
def test_compiled_models_freeze_and_thaw(order: str) -> None:
    """Attached before or after torch.compile a freeze holds, and backward never raises."""
    torch._dynamo.reset()
    model, optimizer = plain()
    if order == "before":
        run = probe.attach(model, optimizer, server=False, every=1)
    compiled: Any = torch.compile(model, backend="aot_eager", fullgraph=True)
    if order == "after":
        one_step(compiled, optimizer)
    if order != "before":
        run = probe.attach(
            compiled if order == "wrapped" else model, optimizer, server=False, every=1
        )
    with run:
        for target in ("*encoder.0.*", "*"):
            one_step(compiled, optimizer)
            run.freeze(target)
            held = zoo.weights(model)["encoder.0.weight"]
            one_step(compiled, optimizer)
            one_step(compiled, optimizer)
            assert zoo.weights(model)["encoder.0.weight"] == held
        run.thaw("*")
        one_step(compiled, optimizer)
        assert set(states(run)) == {"present"}


# Dynamo warns about its own use of deprecated and odd parts of torch.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
def test_a_compiled_optimizer_step_is_watched() -> None:
    """torch.compile(optimizer.step) neither traces the probe nor loses a step."""
    torch._dynamo.reset()
    model, optimizer = plain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        step = torch.compile(optimizer.step, backend="eager")
        for _ in range(3):
            optimizer.zero_grad()
            zoo.loss_of(model, 1).backward()
            step()
        assert (job_of(run).state.step, job_of(run).guard.faults) == (3, 0)


# Optimizers that step in unusual ways.


@pytest.mark.parametrize("per_generator", [2, 3])
def test_of_two_optimizers_one_stepping_more_often_both_are_told_right(per_generator: int) -> None:
    """In a WGAN's loop the critic's gradients are present in each of its steps, never stale."""
    models = {"d": nn.Linear(2, 1), "g": nn.Linear(2, 2)}
    optimizers = {key: torch.optim.SGD(m.parameters(), lr=0.01) for key, m in models.items()}
    seen = set()
    with probe.attach(models, [*optimizers.values()], server=False, every=1) as run:
        for _ in range(4):
            for _ in range(per_generator):
                optimizers["d"].zero_grad()
                models["d"](models["g"](torch.randn(4, 2)).detach()).mean().backward()
                optimizers["d"].step()
                seen.add(states(run)[0])
            optimizers["g"].zero_grad()
            models["d"](models["g"](torch.randn(4, 2))).mean().backward()
            optimizers["g"].step()
            assert states(run) == ["present"] * 4
        assert job_of(run).state.step == 4 * per_generator
    assert seen <= {"present", "unmeasured"}


def test_an_optimizer_whose_step_calls_its_base_counts_once() -> None:
    """A subclass with super().step() makes one step per step, and its gradients are new."""
    torch.optim.Adam([nn.Parameter(torch.ones(1))])

    class Mine(torch.optim.Adam):
        def step(self, closure: Any = None) -> Any:
            return super().step(closure)

    model = zoo.Plain()
    optimizer = Mine(model.parameters())
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for _ in range(3):
            one_step(model, optimizer)
        assert job_of(run).state.step == 3
        assert set(states(run)) == {"present"}


def test_a_step_that_raised_leaves_no_trace_in_the_next_sample() -> None:
    """After an exception inside step() the next sample holds the next step's own figures."""
    model, optimizer = plain()
    fail = [True]

    def check(*_: object) -> None:
        if fail.pop() if fail else False:
            raise ValueError("the script's own check")

    with probe.attach(model, optimizer, server=False, every=1) as run:
        optimizer.register_step_pre_hook(check)
        optimizer.zero_grad()
        (zoo.loss_of(model, 1) * 1000).backward()
        with pytest.raises(ValueError, match="own check"):
            optimizer.step()
        one_step(model, optimizer)
        expected = float(model.head.weight.grad.norm())
        assert job_of(run).state.step == 1
        assert run.parameters()[-2].grad_norm == pytest.approx(expected, rel=1e-6)


def test_lbfgs_with_a_nan_counts_its_own_steps_only() -> None:
    """zero_grad inside a closure drops nothing that counts, so no step is called skipped."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = model(torch.ones(1, 2)).sum() * torch.nan
        loss.backward()
        return loss

    with probe.attach(model, optimizer, server=False, every=1) as run:
        for _ in range(3):
            optimizer.step(closure)
        assert job_of(run).state.step == 3
        with pytest.raises(probe.CommandError, match="trained by LBFGS"):
            run.freeze("weight")


def test_a_wrapped_optimizer_is_seen_through() -> None:
    """A wrapper that holds the real optimizer, as Accelerate's does, is watched at the real one."""

    class Wrapper(torch.optim.Optimizer):
        def __init__(self, optimizer: torch.optim.Optimizer) -> None:
            self.optimizer = optimizer

        def step(self, closure: Any = None) -> Any:
            return self.optimizer.step(closure)

    class Hollow(torch.optim.Optimizer):
        def __init__(self) -> None:
            pass

    model, optimizer = plain()
    with probe.attach(model, Wrapper(optimizer), server=False, every=1) as run:
        one_step(model, optimizer)
        assert job_of(run).state.step == 1
    with pytest.raises(probe.AttachError, match=r"never called Optimizer.__init__"):
        probe.attach(model, Hollow(), server=False)
    assert not any(p._post_accumulate_grad_hooks for p in model.parameters())


# Skipped steps.


def amp_step(model: nn.Module, optimizer: Any, scaler: torch.amp.GradScaler, factor: float) -> None:
    optimizer.zero_grad()
    scaler.scale(zoo.loss_of(model, 1) * factor).backward()
    scaler.step(optimizer)
    scaler.update()


def test_a_freeze_is_not_verified_by_a_step_that_was_skipped() -> None:
    """Only a step that the optimizer applied proves that a parameter stays."""
    model, optimizer = plain()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        amp_step(model, optimizer, scaler, 1.0)
        optimizer.zero_grad()
        reports = recorded(run)
        run.freeze("head")
        amp_step(model, optimizer, scaler, torch.inf)
        optimizer.zero_grad()
        assert [report.state.value for report in reports] == ["applied"]
        amp_step(model, optimizer, scaler, 1.0)
        assert [report.state.value for report in reports] == ["applied", "verified"]


def test_a_gans_generator_that_overflows_once_is_one_skipped_step() -> None:
    """The round of an overflow is one step, flagged as skipped, and the next is a new one."""
    models = {"d": zoo.Plain(), "g": zoo.Plain()}
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.01) for m in models.values()]
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    with probe.attach(models, optimizers, server=False, every=1) as run:
        for iteration in range(5):
            for key, optimizer in zip(models, optimizers, strict=True):
                overflow = key == "g" and iteration == 2
                amp_step(models[key], optimizer, scaler, torch.inf if overflow else 1.0)
        assert job_of(run).state.step == 5


# Faults of the probe's own.


def test_a_gradient_that_cannot_be_measured_costs_the_others_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its parameter is unmeasured, not non-finite; the others are measured, commands applied."""
    monkeypatch.delenv("GRADGATE_STRICT")
    model = nn.Module()
    model.a = nn.Parameter(torch.ones(2))
    model.b = nn.Parameter(torch.ones(2, dtype=torch.float64))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    from gradgate.probe.measure import sampler

    (norm, *_) = sampler.due(0)

    def broken(grads: list[Tensor], *stacks: Any) -> Tensor:
        if grads[0].dtype is torch.float64:
            raise RuntimeError("no kernel for this dtype")
        return norm.measure(grads, *stacks)

    monkeypatch.setattr(sampler, "due", lambda sample: (replace(norm, measure=broken),))
    with probe.attach(model, optimizer, server=False, every=1) as run:
        (model.a.sum() + model.b.sum()).backward()
        job_of(run).queue.submit(FreezeCommand("a", by="test", id=1))
        optimizer.step()
        assert states(run) == ["present", "unmeasured"]
        assert not model.a.requires_grad
        assert job_of(run).guard.faults > 0


def test_a_sparse_parameter_is_refused_and_the_other_commands_go_on() -> None:
    """A command that cannot be done does not take the others of its step along."""
    model = nn.Module()
    model.p = nn.Parameter(torch.eye(3).to_sparse())
    model.q = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([model.q], lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = recorded(run)
        job_of(run).queue.submit(FreezeCommand("*", by="test", id=1))
        job_of(run).queue.submit(FreezeCommand("q", by="test", id=2))
        model.q.sum().backward()
        optimizer.step()
    last = {report.command.id: report for report in reports}
    assert last[1].state.value == "rejected"
    assert "only dense parameters can be frozen" in last[1].reason
    assert last[2].state.value == "applied"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.complex64], ids=str)
def test_a_checksum_sees_single_bits_permutations_and_opposite_changes(dtype: torch.dtype) -> None:
    """Any change of one bit, a swap of two elements, or two changes that cancel out is seen."""
    data = torch.arange(1, 101).to(dtype)
    (before,) = checksums([data])
    assert checksums([data.clone()]) == [before]
    assert checksums([data.flip(0)]) != [before]
    bits = (torch.view_as_real(data) if dtype.is_complex else data).clone()
    words = bits.view({2: torch.int16, 4: torch.int32}[bits.element_size()])
    words.view(-1)[3] += 1
    assert checksums([bits]) != checksums([torch.view_as_real(data) if dtype.is_complex else data])
    words.view(-1)[7] -= 1
    assert checksums([bits]) != checksums([torch.view_as_real(data) if dtype.is_complex else data])


def test_a_permuted_frozen_parameter_is_not_verified() -> None:
    """A script that flips a frozen weight's rows is found out."""
    model, optimizer = plain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = recorded(run)
        run.freeze("head")
        with torch.no_grad():
            model.head.weight.copy_(model.head.weight.flip(0))
        one_step(model, optimizer)
        assert reports[-1].reason.startswith("head.weight was frozen and has changed by step 1")


# What the script does behind the probe's back.


def test_a_script_that_thaws_by_itself_is_believed() -> None:
    """A frozen parameter that the script set to trainable is no longer shown as frozen."""
    model, optimizer = plain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("head")
        one_step(model, optimizer)
        model.head.requires_grad_(True)
        one_step(model, optimizer)
        assert [info.frozen for info in run.parameters()] == [None] * 6
        assert set(states(run)) == {"present"}


def test_a_freeze_found_undone_at_its_verification_says_so() -> None:
    """requires_grad set back by the script before the next step: applied, and not verified."""
    model, optimizer = plain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = recorded(run)
        run.freeze("head.bias")
        model.head.bias.requires_grad_(True)
        optimizer.step()
        assert reports[-1].reason == "head.bias was made trainable again by the script"


def test_a_gradient_that_the_script_gives_a_frozen_parameter_is_kept_from_the_optimizer() -> None:
    """p.grad = … on a frozen parameter does not move it."""
    model, optimizer = plain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("head")
        held = zoo.weights(model)["head.weight"]
        model.head.weight.grad = torch.ones_like(model.head.weight)
        optimizer.step()
        assert zoo.weights(model)["head.weight"] == held


def test_a_freeze_drops_the_gradient_at_once() -> None:
    """grad is None right after the freeze, so its memory is free and nothing old is applied."""
    model, optimizer = plain()
    with probe.attach(model, optimizer, server=False) as run:
        one_step(model, optimizer)
        run.freeze("head")
        assert model.head.weight.grad is None


def test_a_freeze_after_parameters_were_replaced_takes_the_present_ones() -> None:
    """load_state_dict(assign=True) makes new parameters: freezing the old ones would be a lie."""
    model, optimizer = plain()
    with probe.attach(model, optimizer, server=False) as run:
        old = model.head.bias
        model.load_state_dict({k: v.clone() for k, v in model.state_dict().items()}, assign=True)
        run.freeze("head.bias")
        assert not model.head.bias.requires_grad
        assert old.requires_grad
        with pytest.raises(probe.TargetError):
            run.freeze("head.bias (replaced at step 0)")


def test_another_wrapper_of_zero_grad_stays() -> None:
    """detach removes its own wrapper only, and ours below another one does nothing more."""
    model, optimizer = plain()
    run = probe.attach(model, optimizer, server=False, every=1)
    inner: Any = optimizer.zero_grad
    calls = []

    def theirs() -> None:
        calls.append(1)
        inner()

    optimizer.zero_grad = theirs  # type: ignore[method-assign]
    run.detach()
    assert optimizer.zero_grad is theirs
    one_step(model, optimizer)
    assert calls == [1]


def test_a_command_from_another_thread_waits_for_the_boundary() -> None:
    """Only the training thread applies at once; a REPL or a callback thread waits for a step."""
    model, optimizer = plain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        thread = threading.Thread(target=run.freeze, args=("head",))
        thread.start()
        thread.join()
        assert model.head.weight.requires_grad
        one_step(model, optimizer)
        assert not model.head.weight.requires_grad


FREEZE = {"type": "command", "id": 4, "kind": "freeze", "target": "head", "by": "rest"}


def test_a_command_that_comes_twice_is_applied_once() -> None:
    """After a reconnection the server sends what it does not know to be applied; we know."""
    model, optimizer = plain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = recorded(run)
        for _ in range(2):
            job_of(run).requests.receive(FREEZE)
            one_step(model, optimizer)
        job_of(run).requests.receive(FREEZE)
        one_step(model, optimizer)
    words = [report.state.value for report in reports]
    assert words == ["delivered", "applied", "verified"]


def test_after_a_reconnection_the_server_hears_what_is_frozen() -> None:
    """hello carries the absolute state of the freezes."""
    model, optimizer = plain()
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("head")
        (frozen,) = job_of(run).uplink.hello()["frozen"]
        assert frozen["parameters"] == [4, 5]
        assert (frozen["by"], frozen["since_step"], frozen["command"]) == ("python", 0, None)


# Memory, threads and exits.


def test_a_run_whose_model_is_gone_lets_everything_go() -> None:
    """Attached, never detached, dropped: model, run and thread do not stay behind."""
    before = threading.active_count()
    model, optimizer = plain()
    run = probe.attach(model, optimizer, server=NOBODY, every=1)
    one_step(model, optimizer)
    ghosts = [weakref.ref(model), weakref.ref(run)]
    thread = job_of(run).uplink._link._thread if job_of(run).uplink._link is not None else None
    del model, optimizer, run
    gc.collect()
    assert [ghost() for ghost in ghosts] == [None, None]
    assert thread is not None
    thread.join(10)
    assert not thread.is_alive()
    assert threading.active_count() <= before


def test_logging_without_steps_or_after_the_end_stays_bounded() -> None:
    """A hundred thousand logs hold a few in memory."""
    run = probe.attach(nn.Linear(1, 1), server=False)
    for number in range(10_000):
        run.log(loss=number)
    assert len(job_of(run).measurement.metrics._pending) < 100
    run.detach()
    for number in range(1_000):
        run.log(loss=number)
    assert len(job_of(run).measurement.metrics._pending) == 0


def test_an_array_among_the_metrics_is_named_and_the_rest_arrives(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """log(loss=1, acc=array of two) keeps the loss and is no fault of the probe's."""
    with probe.attach(nn.Linear(1, 1), server=False) as run:
        run.log(loss=1.0, acc=np.array([0.1, 0.2]))
        (values,) = job_of(run).measurement.metrics.collect()
        assert values.values == {"loss": 1.0}
        assert job_of(run).guard.faults == 0
    assert "log(acc=...) was given a ndarray" in caplog.text


def test_a_port_out_of_range_is_told_at_once() -> None:
    """A server address that cannot be one is an error of the call, not of the thread."""
    with pytest.raises(ValueError, match="is no address of a dashboard"):
        probe.attach(nn.Linear(1, 1), server="http://127.0.0.1:99999")


@pytest.mark.parametrize("ending", ["return", "raise", "sys.exit(3)", "os.fork"])
def test_a_job_ends_as_it_would_without_the_probe(ending: str) -> None:
    """With nobody to talk to, each way to end gives its own exit code, promptly."""
    script = f"""
import os, sys, torch
from gradgate import probe
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
run = probe.attach(model, optimizer, server={NOBODY!r})
for _ in range(3):
    optimizer.zero_grad(); model(torch.ones(1, 2)).sum().backward(); optimizer.step()
if {ending!r} == "raise":
    raise RuntimeError("the script's own")
if {ending!r} == "os.fork" and os.fork() == 0:
    with run:
        optimizer.step()
    sys.exit(0)
if {ending!r} == "os.fork":
    _, status = os.wait()
    assert status == 0 and model.weight.requires_grad
    optimizer.step()
if "exit" in {ending!r}:
    sys.exit(3)
"""
    job = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    expected = {"return": 0, "raise": 1, "sys.exit(3)": 3, "os.fork": 0}[ending]
    assert job.returncode == expected, job.stderr
    assert job.stderr.count("Traceback") == (ending == "raise")


def test_steering_knows_its_opposites() -> None:
    """A command of a kind that this probe does not know is rejected with what to upgrade."""
    model, optimizer = plain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        assert isinstance(job_of(run).steering, Steering)
        reports = recorded(run)
        job_of(run).requests.receive({**FREEZE, "kind": "melt"})
        one_step(model, optimizer)
        assert "upgrade gradgate in the training job" in reports[-1].reason
