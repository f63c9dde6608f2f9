"""The state of every parameter's gradient at a step."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gradgate import probe
from gradgate.probe.base.guard import Guard
from gradgate.probe.base.states import State
from gradgate.probe.measure import sampler as sampler_module
from gradgate.probe.measure import statistics
from gradgate.probe.measure.norms import grad_norms
from gradgate.probe.measure.released import ReleasedGradients
from gradgate.probe.measure.sampler import Sampler
from gradgate.probe.measure.stacks import LEAST_STACK
from gradgate.probe.measure.statistics import Statistic
from gradgate.probe.measure.write_tracker import WriteTracker
from gradgate.probe.model.commands import FreezeCommand
from gradgate.probe.model.sample import GRAD_NORM, Sample
from gradgate.probe.model.table import ParameterTable
from gradgate.probe.session.run import job_of
from gradgate.probe.torch_compat.readback import Readback
from tests.support import zoo


def made(table: ParameterTable, guard: Guard) -> Sampler:
    """A sampler by itself."""
    writes = WriteTracker(table.parameters)
    released = ReleasedGradients(table, writes, guard, lambda: True, lambda *_: None)
    return Sampler(table, writes, released, guard, lambda: None)


def states(run: probe.Run) -> dict[str, str]:
    """The state of each parameter as of the latest sample."""
    return {info.name: info.state for info in run.parameters()}


class Parts(nn.Module):
    """Two vectors of which a step uses what it wants."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.ones(3))
        self.b = nn.Parameter(torch.ones(3))


def sgd(model: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=0.1)


@pytest.mark.parametrize(
    ("loss", "state"),
    [
        (lambda m: m.b.sum() + (m.a * 2).sum(), "present"),
        (lambda m: m.b.sum() + (m.a * 0).sum(), "zero"),
        (lambda m: m.b.sum() + (m.a * 1e-30).sum(), "present"),
        (lambda m: m.b.sum() + (m.a * 1e30).sum(), "present"),
        (lambda m: m.b.sum() + (m.a * torch.nan).sum(), "nonfinite"),
        (lambda m: m.b.sum() + (m.a[0] * torch.inf), "nonfinite"),
        (lambda m: m.b.sum(), "absent"),
        (lambda m: m.b.sum() + m.a.detach().sum(), "absent"),
    ],
)
def test_state_of_one_backward(loss: Callable[[Parts], Tensor], state: str) -> None:
    """Each kind of gradient has its own state, and the other parameter keeps its own."""
    model = Parts()
    optimizer = sgd(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        loss(model).backward()
        optimizer.step()
        assert states(run) == {"a": state, "b": "present"}


def test_frozen_by_the_script_is_frozen() -> None:
    """A parameter that the script froze before attaching is covered, and not called absent."""
    model = Parts()
    model.a.requires_grad_(False)
    optimizer = sgd(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        model.b.sum().backward()
        optimizer.step()
        assert states(run) == {"a": "frozen", "b": "present"}
        assert run.parameters()[0].frozen is None


def test_before_the_first_step_nothing_is_claimed() -> None:
    """A parameter is unmeasured until a step was sampled."""
    model = Parts()
    with probe.attach(model, sgd(model), server=False) as run:
        assert states(run) == {"a": "unmeasured", "b": "unmeasured"}
        assert run.parameters()[0].step is None


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("when", ["before", "after"])
def test_gradients_zeroed_in_place_and_not_written_are_stale(
    foreach: bool, clip: bool, when: str
) -> None:
    """With zero_grad(set_to_none=False) an untouched gradient is stale, in every step and from both
    places where people call zero_grad."""
    model = Parts()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, foreach=foreach)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for step in range(6):
            if when == "before":
                optimizer.zero_grad(set_to_none=False)
            used = model.a if step % 2 == 0 else model.b
            (used * 2).sum().backward()
            if clip:
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            expected = {"a": "present", "b": "absent"} if step == 0 else None
            if expected is None:
                expected = (
                    {"a": "present", "b": "stale"}
                    if step % 2 == 0
                    else {"a": "stale", "b": "present"}
                )
            assert states(run) == expected, step
            if when == "after":
                optimizer.zero_grad(set_to_none=False)


def test_gradients_that_the_script_copies_into_place_are_new() -> None:
    """No backward brings any where it takes them from ``autograd.grad`` or computes them."""
    model = Parts()
    optimizer = sgd(model)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    with probe.attach(model, optimizer, server=False, every=1, expect=["*"]) as run:
        for _ in range(6):
            loss = model.a.square().sum() + model.b.square().sum()
            grads = torch.autograd.grad(loss, list(model.parameters()))
            for parameter, grad in zip(model.parameters(), grads, strict=True):
                assert parameter.grad is not None
                parameter.grad.copy_(grad)
            optimizer.step()
            assert states(run) == {"a": "present", "b": "present"}
        assert run.alerts() == []
        optimizer.zero_grad(set_to_none=False)
        optimizer.step()
        assert states(run) == {"a": "stale", "b": "stale"}


def test_gradient_that_is_never_cleared_is_stale_when_not_written() -> None:
    """Without any zero_grad, a step whose backward leaves a parameter out finds it stale."""
    model = Parts()
    optimizer = sgd(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        (model.a.sum() + model.b.sum()).backward()
        optimizer.step()
        assert states(run) == {"a": "present", "b": "present"}
        model.b.sum().backward()
        optimizer.step()
        assert states(run) == {"a": "stale", "b": "present"}


def test_a_loop_that_turns_to_zeroing_in_place_is_still_told_right() -> None:
    """After the hooks were dropped, persisting gradients bring them back at once."""
    model = Parts()
    optimizer = sgd(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for _ in range(5):
            optimizer.zero_grad()
            (model.a.sum() + model.b.sum()).backward()
            optimizer.step()
        assert not any(p._post_accumulate_grad_hooks for p in model.parameters())
        for _ in range(2):
            (model.a.sum() + model.b.sum()).backward()
            optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        model.b.sum().backward()
        optimizer.step()
        assert states(run) == {"a": "stale", "b": "present"}


class Called(Parts):
    """The same two vectors, used in a forward."""

    def forward(self, uses_a: bool) -> Tensor:
        """The sum of both, or of one."""
        return self.b.sum() + (self.a.sum() if uses_a else 0)


@pytest.mark.parametrize("called", [True, False])
@pytest.mark.parametrize("cleared", ["after the step", "before forward", "before backward"])
def test_the_first_gradient_that_is_not_cleared_is_stale_at_once(
    called: bool, cleared: str
) -> None:
    """Wherever the loop cleared gradients before, and whether or not it calls the model itself."""
    model = Called()
    optimizer = sgd(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for step in range(1, 7):
            last = step == 6
            if cleared == "before forward" and not last:
                optimizer.zero_grad()
            loss = model(not last) if called else model.forward(not last)
            if cleared == "before backward" and not last:
                optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            assert states(run) == {"a": "stale" if last else "present", "b": "present"}, step
            if cleared == "after the step" and step < 5:
                optimizer.zero_grad()


def test_a_forward_after_the_backward_leaves_new_gradients_new() -> None:
    """A loss from a method of the model, and then a forward for a figure to log."""
    model = Called()
    optimizer = sgd(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for step in range(1, 7):
            optimizer.zero_grad()
            model.forward(uses_a=True).backward()
            model(uses_a=True).item()
            optimizer.step()
            assert states(run) == {"a": "present", "b": "present"}, step
        assert not any(p._post_accumulate_grad_hooks for p in model.parameters())


def test_an_old_gradient_found_at_attach_is_stale() -> None:
    """A gradient left from before attaching is not taken for a new one."""
    model = Parts()
    optimizer = sgd(model)
    (model.a.sum() + model.b.sum()).backward()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        model.b.sum().backward()
        optimizer.step()
        assert states(run) == {"a": "stale", "b": "present"}


@pytest.mark.parametrize("name", list(zoo.MODELS))
def test_norms_are_those_that_the_optimizer_applies(name: str) -> None:
    """Norm and maximum are those of the clipped, accumulated gradients, against float64."""
    torch.manual_seed(0)
    model = zoo.MODELS[name]()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for part in range(3):
            zoo.loss_of(model, part).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        grads = {
            n: p.grad.double().clone() for n, p in model.named_parameters() if p.grad is not None
        }
        optimizer.step()
        for info in run.parameters():
            assert info.state == "present"
            assert info.grad_norm == pytest.approx(grads[info.name].norm().item(), rel=1e-6)
            assert info.grad_max == pytest.approx(grads[info.name].abs().max().item(), rel=1e-7)


def test_sparse_gradients_are_summed_over_repeated_rows() -> None:
    """The norm of a sparse gradient is that of the dense one, repeated rows added up."""
    torch.manual_seed(0)
    model = zoo.Sparse()
    optimizer = torch.optim.SparseAdam(list(model.parameters()))
    with probe.attach(model, optimizer, server=False, every=1) as run:
        zoo.loss_of(model, 0).backward()
        assert model.embedding.weight.grad is not None
        dense = model.embedding.weight.grad.to_dense().double()
        optimizer.step()
        (info,) = run.parameters()
        assert info.state == "present"
        assert info.grad_norm == pytest.approx(dense.norm().item(), rel=1e-6)


def test_tied_parameters_are_one_with_two_names() -> None:
    """A parameter that two modules share has one row, and each of its names."""
    model = zoo.Tied()
    with probe.attach(model, sgd(model), server=False) as run:
        (info,) = run.parameters()
        assert info.names == ("embedding.weight", "output.weight")


def test_in_optimizer_follows_groups_added_later() -> None:
    """A parameter outside every optimizer is marked so until a group with it is added."""
    model = Parts()
    optimizer = torch.optim.SGD([model.a], lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        assert [info.in_optimizer for info in run.parameters()] == [True, False]
        optimizer.add_param_group({"params": [model.b]})
        (model.a.sum() + model.b.sum()).backward()
        optimizer.step()
        assert [info.in_optimizer for info in run.parameters()] == [True, True]


def test_every_samples_exactly_each_nth_step() -> None:
    """With every=3 the samples are those of steps 3, 6 and 9."""
    model = Parts()
    optimizer = sgd(model)
    seen = []
    with probe.attach(model, optimizer, server=False, every=3) as run:
        for _ in range(10):
            optimizer.zero_grad()
            (model.a.sum() + model.b.sum()).backward()
            optimizer.step()
            step = run.parameters()[0].step
            if step is not None and step not in seen:
                seen.append(step)
    assert seen == [3, 6, 9]


def test_two_optimizers_make_one_step_of_a_round() -> None:
    """Each optimizer's parameters are measured just before its own step, once per round."""
    models = {"d": Parts(), "g": Parts()}
    optimizers = [sgd(models["d"]), sgd(models["g"])]
    with probe.attach(models, optimizers, server=False, every=1) as run:
        for _ in range(2):
            for key, optimizer in zip(models, optimizers, strict=True):
                optimizer.zero_grad()
                (models[key].a.sum() * 2).backward()
                optimizer.step()
        assert states(run) == {"d.a": "present", "d.b": "absent", "g.a": "present", "g.b": "absent"}
        assert {info.step for info in run.parameters()} == {2}


def test_an_optimizer_that_steps_more_often_has_its_own_steps() -> None:
    """A round ends when an optimizer steps again: 3 steps of one and 1 of another are 3 rounds."""
    models = {"d": Parts(), "g": Parts()}
    optimizers = [sgd(models["d"]), sgd(models["g"])]
    with probe.attach(models, optimizers, server=False, every=1) as run:
        for _ in range(3):
            models["d"].a.sum().backward()
            optimizers[0].step()
        models["g"].a.sum().backward()
        optimizers[1].step()
        assert {info.step for info in run.parameters()} == {3}


def test_a_closure_is_measured_after_it_ran() -> None:
    """With LBFGS the gradients are made inside step(): they are found, not called absent."""
    model = Parts()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (model.a.square() + model.b.square()).sum()
        loss.backward()
        return loss

    with probe.attach(model, optimizer, server=False, every=1) as run:
        optimizer.step(closure)
        assert {info.state for info in run.parameters()} <= {"present", "zero"}
        assert run.parameters()[0].step == 1


def test_without_an_optimizer_the_script_marks_the_steps() -> None:
    """run.step() measures and ends a step; with an optimizer it is refused."""
    model = Parts()
    with probe.attach(model, server=False, every=1) as run:
        model.a.sum().backward()
        run.step()
        assert states(run) == {"a": "present", "b": "absent"}
        assert not run.parameters()[0].in_optimizer
    with (
        probe.attach(model, sgd(model), server=False) as run,
        pytest.raises(RuntimeError, match="drop the call"),
    ):
        run.step()


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("zero_first", [False, True])
def test_amp_samples_are_unscaled_and_overflows_appear_as_skipped(
    fused: bool, zero_first: bool
) -> None:
    """Under a GradScaler the norm is the unscaled one, and an overflow is a sample of its own."""
    model = Parts()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    samples: dict[int, Sample] = {}

    def note() -> None:
        sample = job_of(run).measurement.latest.sample
        if sample is not None:
            samples[sample.step] = sample

    with probe.attach(model, optimizer, server=False, every=1) as run:
        for step in range(4):
            if zero_first:
                optimizer.zero_grad()
                note()
            factor = torch.inf if step == 1 else 2.0
            loss = (model.a * factor).sum() + model.b.sum()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            if not zero_first:
                optimizer.zero_grad()
            note()
    assert [step for step, sample in samples.items() if sample.skipped] == [2]
    assert list(samples[2].states) == [State.NONFINITE, State.PRESENT]
    assert list(samples) == [1, 2, 3, 4]
    healthy = [
        sample.values[GRAD_NORM].tolist() for sample in samples.values() if not sample.skipped
    ]
    expected = [2 * 3**0.5, 3**0.5]
    assert all(values == pytest.approx(expected, rel=1e-6) for values in healthy)


def test_parameters_of_a_lazy_module_get_their_shape_later() -> None:
    """A lazy layer is unmeasured until its first forward gives it a shape."""
    model = nn.Sequential(nn.LazyLinear(4), nn.Linear(4, 2))
    optimizer = sgd(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        assert run.parameters()[0].shape == ()
        for _ in range(2):
            optimizer.zero_grad()
            model(torch.ones(2, 5)).sum().backward()
            optimizer.step()
        assert run.parameters()[0].shape == (4, 5)
        assert run.parameters()[0].state == "present"


def test_what_a_gate_kept_a_gradient_from_is_gated_and_what_got_one_all_the_same_is_not() -> None:
    """A gate may close for one use of a parameter only, and another use gives it its gradient."""
    model = Parts()
    table = ParameterTable({"": model})
    sampler = made(table, Guard())
    (model.a * 2).sum().backward()
    sampler.measure([0, 1])
    sampler.finish(1, gated=[0, 1])
    (sample,) = sampler.collect(wait=True)
    assert sample.states.tolist() == [State.PRESENT, State.GATED]


def test_a_sample_that_cannot_be_read_takes_no_other_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those before and behind it arrive, and the fault is counted."""
    monkeypatch.delenv("GRADGATE_STRICT")
    model = Parts()
    table = ParameterTable({"": model})
    guard = Guard()
    sampler = made(table, guard)
    for step in range(1, 4):
        (model.a + model.b).sum().backward()
        sampler.measure([0, 1])
        sampler.finish(step)
    read, reads = Readback.values, count(1)

    def values(readback: Readback) -> Any:
        if next(reads) == 2:
            raise RuntimeError("the device is gone")
        return read(readback)

    monkeypatch.setattr(Readback, "values", values)
    assert [sample.step for sample in sampler.collect(wait=True)] == [1, 3]
    assert guard.faults == 1


def test_a_gradient_that_cannot_be_measured_costs_the_others_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its parameter is unmeasured, not non-finite; the others are measured, commands applied."""
    monkeypatch.delenv("GRADGATE_STRICT")
    model = nn.Module()
    model.a = nn.Parameter(torch.ones(2))
    model.b = nn.Parameter(torch.ones(2, dtype=torch.float64))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def broken(grads: list[Tensor], *stacks: Any, good: Any = grad_norms) -> Tensor:
        if grads[0].dtype is torch.float64:
            raise RuntimeError("no kernel for this dtype")
        return good(grads, *stacks)  # type: ignore[no-any-return]

    monkeypatch.setattr(statistics, "STATISTICS", (Statistic(GRAD_NORM, 1, broken),))
    with probe.attach(model, optimizer, server=False, every=1) as run:
        (model.a.sum() + model.b.sum()).backward()
        job_of(run).queue.submit(FreezeCommand("a", by="test", id=1))
        optimizer.step()
        assert [*states(run).values()] == ["present", "unmeasured"]
        assert not model.a.requires_grad
        assert job_of(run).guard.faults > 0


def test_a_parameter_without_an_element_is_not_called_absent() -> None:
    """There is nothing to train here: a piece may lie on another rank."""
    model = nn.Linear(2, 1)
    model.elsewhere = nn.Parameter(torch.zeros(0))
    with probe.attach(model, sgd(model), server=False, every=1, expect=["*"], strict=True) as run:
        for _ in range(3):
            model.zero_grad()
            model(torch.ones(1, 2)).sum().backward()
            job_of(run).optimizers[0].step()
        assert states(run)["elsewhere"] == "unmeasured"


def test_what_was_not_measured_is_not_judged_by_its_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty piece of a sharded gradient has none, whatever the others have."""
    monkeypatch.setattr(sampler_module, "local_part", lambda grad: grad.to_local())

    class Piece(Tensor):
        def to_local(self) -> Tensor:
            return torch.zeros(0)

    table = ParameterTable({"": (model := Parts())})
    sampler = made(table, Guard())
    (model.a * 0 + model.b).sum().backward()
    model.b.grad = torch.ones(model.b.shape).as_subclass(Piece)
    sampler.measure([0, 1])
    sampler.finish(1)
    (found,) = sampler.collect(wait=True)
    assert [State(code) for code in found.states[:2]] == [State.ZERO, State.PRESENT]


@pytest.mark.parametrize("on_host", [True, False], ids=["host", "device"])
@pytest.mark.parametrize(
    ("number", "state", "norm"),
    [
        (0.0, State.ZERO, 0.0),
        (float("nan"), State.NONFINITE, float("nan")),
        (float("inf"), State.NONFINITE, float("inf")),
        (1e39, State.PRESENT, float("inf")),
    ],
)
def test_what_is_unusual_is_judged_wherever_it_was_measured(
    number: float, state: State, norm: float, *, on_host: bool
) -> None:
    """What is too large for float32 is sent as infinite, and is present all the same."""
    table = ParameterTable({"": (model := Parts().double())})
    sampler = made(table, Guard())
    model.a.grad = torch.ones(3, dtype=torch.float64)
    model.b.grad = torch.tensor([number, 0.0, 0.0], dtype=torch.float64)
    sampler.measure([0, 1])
    assert sampler.sees_nonfinite == (state is State.NONFINITE)
    assert sampler._draft is not None
    for part in sampler._draft.parts:
        part.usual = part.usual if on_host else None
    sampler.finish(1)
    (found,) = sampler.collect(wait=True)
    assert [State(code) for code in found.states] == [State.PRESENT, state]
    np.testing.assert_equal(found.values[GRAD_NORM][1], np.float32(norm))


def test_what_is_as_in_the_sample_before_tells_nothing_new_and_nothing_else() -> None:
    """A gradient that was zero before does, as one that is zero now."""
    table = ParameterTable({"": (model := Parts())})
    sampler, mine = made(table, Guard()), [0, 1]
    told, samples = list[bool](), list[Sample]()
    model.a.grad = torch.ones(3)
    for step, size in enumerate([1.0, 1.0, 0.0, 1.0, 1.0], 1):
        model.b.grad = torch.full((3,), size)
        told.append(not sampler.measure_calm(mine, may_be_old=False))
        if told[-1]:
            sampler.measure(mine)
            sampler.finish(step)
        else:
            sampler.finish_calm(step)
        samples += sampler.collect()
    assert told == [True, False, True, True, False]
    assert [each.step for each in samples] == [1, 2, 3, 4, 5]
    states = [[State(code) for code in each.states] for each in samples]
    assert states == [[State.PRESENT, [State.PRESENT, State.ZERO][i == 2]] for i in range(5)]


def test_what_was_measured_in_a_step_that_raised_is_not_told_of_the_next() -> None:
    """A gradient that is gone by the second try has no norm, and the other optimizer's has."""
    table = ParameterTable({"": (model := Parts())})
    sampler = made(table, Guard())
    model.a.grad, model.b.grad = torch.ones(3), torch.ones(3)
    sampler.measure([0], k=0)
    sampler.measure([1], k=1)
    model.b.grad = None
    sampler.measure([1], k=1)
    sampler.finish(1)
    (found,) = sampler.collect()
    assert [State(code) for code in found.states] == [State.PRESENT, State.ABSENT]
    np.testing.assert_allclose(found.values[GRAD_NORM], [3**0.5, np.nan])


@pytest.mark.parametrize("calm", [0, 1])
def test_what_a_step_that_raised_has_measured_is_gone_after_steps_that_tell_nothing_new(
    calm: int,
) -> None:
    """A step that is measured as those, and ends as others do, has its own sample."""
    table = ParameterTable({"": (model := Parts())})
    sampler, mine = made(table, Guard()), [0, 1]
    model.a.grad, model.b.grad = torch.ones(3), torch.ones(3)
    sampler.measure(mine)
    sampler.finish(1)
    model.b.grad = torch.zeros(3)
    sampler.measure(mine)  # and then the step raised
    model.b.grad = torch.ones(3) * 2
    for step in range(2, 2 + calm):
        assert sampler.measure_calm(mine, may_be_old=False)
        sampler.finish_calm(step)
    assert sampler.measure_calm(mine, may_be_old=False)
    sampler.finish(2 + calm)
    found = sampler.collect()[-1]
    assert [State(code) for code in found.states] == [State.PRESENT, State.PRESENT]
    np.testing.assert_allclose(found.values[GRAD_NORM], [3**0.5, 12**0.5])


def test_a_gradient_of_another_shape_than_before_tells_something_new() -> None:
    """Which no stack takes, and which is no fault."""
    model = nn.ParameterList(nn.Parameter(torch.ones(3)) for _ in range(LEAST_STACK))
    sampler = made(ParameterTable({"": model}), Guard())
    mine = list(range(LEAST_STACK))
    for parameter in model:
        parameter.grad = torch.ones(3)
    sampler.measure(mine)
    sampler.finish(1)
    assert sampler.measure_calm(mine, may_be_old=False)
    sampler.finish_calm(2)
    model[3].data = torch.ones(12)
    model[3].grad = torch.ones(12)
    assert not sampler.measure_calm(mine, may_be_old=False)


@pytest.mark.filterwarnings("ignore:Using backward\\(\\) with create_graph=True")
def test_gradients_with_a_graph_of_their_own_are_measured_as_others_are() -> None:
    """Those of create_graph=True: nothing that is made of them has a graph, or keeps theirs."""
    packed: list[Tensor] = []

    def pack(saved: Tensor) -> Tensor:
        packed.append(saved)
        return saved

    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for step in range(1, 6):
            optimizer.zero_grad()
            loss = model(torch.ones(1, 3) * step).square().sum()
            loss.backward(create_graph=True)
            grads = [p.grad.detach() for p in model.parameters() if p.grad is not None]
            norms = [float(norm) for norm in torch._foreach_norm(grads)]
            graph = weakref.ref(model.weight.grad)
            with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
                optimizer.step()
            assert torch.is_grad_enabled()
            sample = job_of(run).measurement.latest.sample
            assert sample is not None
            assert sample.values[GRAD_NORM].tolist() == norms
            assert states(run) == {"weight": "present", "bias": "present"}
            del loss, grads
            optimizer.zero_grad()
            gc.collect()
            assert graph() is None
        assert (job_of(run).guard.faults, packed) == (0, [])


@pytest.mark.parametrize("norm", [1e-18, 1.0])
def test_the_factor_of_a_scaler_makes_no_gradient_zero(norm: float) -> None:
    """Though what is sent is: the gradient that is applied has elements that are none."""
    table = ParameterTable({"": (model := Parts())})
    sampler = made(table, Guard())
    for parameter in model.parameters():
        parameter.grad = torch.tensor([norm, 0.0, 0.0])
    sampler.measure([0, 1], torch.tensor([2.0**120]))
    sampler.finish(1)
    (found,) = sampler.collect(wait=True)
    assert [State(code) for code in found.states] == [State.PRESENT] * 2
    np.testing.assert_array_equal(found.values[GRAD_NORM], np.float32(norm * 2.0**-120))
