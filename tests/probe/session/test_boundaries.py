"""Step boundaries from the optimizers' own hooks: what ends a step, and what does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Optimizer

from gradgate import probe
from gradgate.probe.base.guard import Guard
from gradgate.probe.measure.backward_timer import BackwardTimer
from gradgate.probe.session.boundaries import Boundaries
from gradgate.probe.session.run import job_of
from tests.support import zoo
from tests.support.steered import chain, one_step, plain, scaled_step, states, steps


class Unseen:
    """Lets nobody hear of a part of a step, where it is told so, and notes what passes."""

    def __init__(self) -> None:
        self.parts: set[str] = set()
        self.said: list[str] = []

    def begins(self, k: int, args: Any, kwargs: Any) -> bool:
        assert args[0] is not None
        return self._passes("begins", k)

    def passes(self, k: int) -> bool:
        return self._passes("passes", k)

    def clears(self, k: int, *, dropped: bool) -> bool:
        return self._passes("clears", k)

    def _passes(self, part: str, k: int) -> bool:
        if part in self.parts:
            self.said.append(f"{part} {k}")
        return part in self.parts


class Steps:
    """Notes what it is told of two layers' optimizers."""

    def __init__(self, count: int = 1, optimizers: Sequence[Optimizer] | None = None) -> None:
        self.layers = [nn.Linear(2, 1) for _ in range(count)]
        self.optimizers = list(
            optimizers or [SGD(layer.parameters(), lr=0.1) for layer in self.layers]
        )
        self.said: list[str] = []
        self.skips = False
        self.all_cleared: list[tuple[int, bool]] = []
        self.unseen = Unseen()
        self.boundaries = Boundaries(self.optimizers, self, self.unseen, self, Guard())

    def run(self, body: Callable[..., None], *args: Any, **named: Any) -> None:
        body(*args, **named)

    def run_unless(
        self, passed: Callable[..., bool], body: Callable[..., None], k: int, *args: Any
    ) -> None:
        self.go_on_unless(passed, body, k, *args)

    def go_on_unless(
        self,
        passed: Callable[..., bool],
        body: Callable[..., None],
        k: int,
        *args: Any,
        **named: Any,
    ) -> None:
        if not passed(k, *args, **named):
            body(k, *args, **named)

    def before_step(self, k: int) -> None:
        self.said.append(f"before {k}")

    def measure(self, k: int) -> None:
        self.said.append(f"measure {k}")

    def stepped(self, k: int) -> None:
        self.said.append(f"stepped {k}")

    def after_step(self, k: int) -> None:
        self.said.append(f"after {k}")

    def boundary(self, *, late: bool) -> None:
        self.said.append("late boundary" if late else "boundary")

    def discarded(self, k: int) -> bool:
        self.said.append(f"discarded {k}")
        return self.skips

    def cleared(self, k: int, *, dropped: bool) -> None:
        self.all_cleared.append((k, dropped))

    def take(self) -> list[str]:
        said, self.said = self.said, []
        return said

    def ends(self) -> int:
        return sum("boundary" in said for said in self.take())


def loss(layer: nn.Module) -> torch.Tensor:
    total: torch.Tensor = layer(torch.ones(1, 2)).sum()
    total.backward()
    return total


def test_clearing_gradients_is_told_once_it_is_done() -> None:
    """By the optimizer, and whether gradients are gone; not of a closure's, inside a step."""
    steps = Steps(2)
    optimizer = steps.optimizers[1]
    optimizer.zero_grad()
    optimizer.zero_grad(set_to_none=False)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        return loss(steps.layers[1])

    optimizer.step(closure)
    assert steps.all_cleared == [(1, True), (1, False)]


class Zeroing(SGD):
    """One whose own ``zero_grad`` keeps gradients."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        super().zero_grad(set_to_none=False)


def test_what_another_zero_grad_leaves_is_not_known() -> None:
    """A subclass may do what it likes, whatever it is told."""
    layer = nn.Linear(2, 1)
    steps = Steps(optimizers=[Zeroing(layer.parameters(), lr=0.1)])
    steps.optimizers[0].zero_grad()
    assert steps.all_cleared == [(0, False)]


def test_a_step_of_one_optimizer_is_a_step_of_the_run() -> None:
    """In this order: gradients are measured before they are applied."""
    steps = Steps()
    loss(steps.layers[0])
    steps.optimizers[0].step()
    assert steps.take() == ["before 0", "measure 0", "stepped 0", "boundary", "after 0"]
    steps.optimizers[0].zero_grad()
    assert steps.take() == []


@pytest.mark.parametrize("cleared", [True, False])
def test_a_step_that_nobody_looks_at_is_told_to_nobody(*, cleared: bool) -> None:
    """Its gradients count as used, and those of the next as new."""
    steps = Steps()
    steps.unseen.parts = {"begins", "passes", *(["clears"] if cleared else [])}
    for _ in range(2):
        loss(steps.layers[0])
        steps.optimizers[0].step()
        steps.optimizers[0].zero_grad()
    assert steps.take() == []
    assert steps.all_cleared == ([] if cleared else [(0, True)] * 2)
    steps.optimizers[0].zero_grad()
    assert steps.take() == ["discarded 0"]


def test_a_step_that_somebody_has_to_end_is_ended() -> None:
    """Though nobody had to prepare for it."""
    steps = Steps()
    steps.unseen.parts = {"begins"}
    loss(steps.layers[0])
    steps.optimizers[0].step()
    assert steps.take() == ["stepped 0", "boundary", "after 0"]


def test_who_ends_steps_with_backwards_hears_of_the_first_that_is_made() -> None:
    """It is no end of a step that nobody looks at."""
    steps = Steps()
    steps.unseen.parts = {"begins", "passes"}
    steps.boundaries.step_with_backwards()
    loss(steps.layers[0])
    steps.optimizers[0].step()
    assert steps.take() == ["stepped 0", "boundary", "after 0"]
    steps.optimizers[0].step()
    assert steps.take() == []


def test_a_closure_computes_what_is_measured_inside_the_step() -> None:
    """And the zero_grad in it drops nothing that counts."""
    layer = nn.Linear(2, 1)
    steps = Steps(optimizers=[LBFGS(layer.parameters(), max_iter=2)])

    def closure() -> torch.Tensor:
        steps.optimizers[0].zero_grad()
        return loss(layer)

    steps.optimizers[0].step(closure)  # type: ignore[arg-type]
    assert steps.take() == ["before 0", "stepped 0", "measure 0", "boundary", "after 0"]


@pytest.mark.parametrize("passed", ["by name", "by place"])
def test_a_closure_is_known_however_it_is_given(passed: str) -> None:
    """It is the first argument of step."""
    steps = Steps()

    def closure() -> float:
        return 0.0

    if passed == "by name":
        steps.optimizers[0].step(closure=closure)
    else:
        steps.optimizers[0].step(closure)
    assert steps.take()[:2] == ["before 0", "stepped 0"]


class Outer(Optimizer):
    """Keeps the optimizer that makes its steps, as sharpness-aware minimization does."""

    def __init__(self, base: Optimizer) -> None:
        super().__init__([p for group in base.param_groups for p in group["params"]], {})
        self.base = base
        self.param_groups = base.param_groups

    def step(self, closure: Any = None) -> None:
        self.base.step()

    def second_step(self) -> None:
        self.base.step()
        self.base.zero_grad()


def test_an_optimizer_inside_another_makes_its_steps() -> None:
    """By whichever of them, at the same moments; called by the other it is the same step."""
    layer = nn.Linear(2, 1)
    outer = Outer(SGD(layer.parameters(), lr=0.1))
    steps = Steps(optimizers=[outer])
    loss(layer)
    step = ["before 0", "measure 0", "stepped 0", "boundary", "after 0"]
    outer.second_step()
    assert steps.take() == step
    for each in (outer, outer.base):
        loss(layer)
        each.step()
        assert steps.take() == step
    steps.boundaries.remove()
    assert not outer.base._optimizer_step_pre_hooks
    assert "zero_grad" not in vars(outer.base)


def test_an_inner_step_that_raises_hides_no_later_one() -> None:
    """Neither its own nor one of the optimizer around it."""
    layer = nn.Linear(2, 1)
    outer = Outer(SGD(layer.parameters(), lr=0.1))
    steps = Steps(optimizers=[outer])
    layer.weight.grad = torch.ones(1, 2)
    outer.base.param_groups[0]["lr"] = "fast"
    with pytest.raises(TypeError):
        outer.step()
    outer.base.param_groups[0]["lr"] = 0.1
    steps.take()
    outer.step()
    assert steps.ends() == 1


def test_a_collection_of_optimizers_is_a_round_of_them() -> None:
    """Whether the script calls the collection or each by itself."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    inner = [SGD(layer.parameters(), lr=0.1) for layer in model]

    class Collection(Optimizer):
        def __init__(self) -> None:
            super().__init__(model.parameters(), {})
            self.inner = inner

        def step(self, closure: Any = None) -> None:
            for each in self.inner:
                each.step()

    collection = Collection()
    with probe.attach(model, collection, server=False, every=1) as run:
        for step in (collection.step, lambda: [each.step() for each in inner]):
            model(torch.ones(1, 2)).sum().backward()
            step()
        assert job_of(run).state.step == 2
        assert {row.state for row in run.parameters()} == {"present"}


def test_with_several_optimizers_a_round_is_a_step() -> None:
    """It ends when all have stepped, or just before one steps again."""
    steps = Steps(2)
    first, second = steps.optimizers
    first.step()
    assert steps.ends() == 0
    second.step()
    assert steps.ends() == 1
    first.step()
    first.step()
    said = steps.take()
    assert said.count("late boundary") == 1
    assert said.index("late boundary") < len(said) - said[::-1].index("before 0")


def test_gradients_that_are_thrown_away_may_end_a_round() -> None:
    """Where that was a skipped step: the next step begins a round of its own."""
    steps = Steps(2)
    first, second = steps.optimizers
    first.step()
    steps.take()
    second.zero_grad()
    assert steps.take() == ["discarded 1"]
    steps.skips = True
    second.zero_grad()
    steps.skips = False
    steps.take()
    first.step()
    assert steps.ends() == 0


def test_gradients_that_a_step_has_used_are_not_discarded() -> None:
    """Only the next ones are."""
    steps = Steps()
    steps.optimizers[0].step()
    steps.take()
    for said in ([], ["discarded 0"]):
        steps.optimizers[0].zero_grad()
        assert steps.take() == said


class Calling(SGD):
    """A step that calls the step of its base."""

    def step(self, closure: object = None) -> None:  # type: ignore[override]
        super().step()


def test_a_step_inside_a_step_is_one() -> None:
    """Torch calls the hooks for each of them."""
    layer = nn.Linear(2, 1)
    steps = Steps(optimizers=[Calling(layer.parameters(), lr=0.1)])
    steps.optimizers[0].step()
    assert steps.take() == ["before 0", "measure 0", "stepped 0", "boundary", "after 0"]


def test_after_a_step_that_raised_the_next_counts() -> None:
    """It never came to its end, and did not end anything."""
    layer = nn.Linear(2, 1)
    steps = Steps(optimizers=[SGD(layer.parameters(), lr=0.1)])

    def raising() -> float:
        raise KeyError("closure")

    with pytest.raises(KeyError, match="closure"):
        steps.optimizers[0].step(raising)
    assert steps.take() == ["before 0"]
    steps.optimizers[0].step()
    assert steps.ends() == 1


def test_where_optimizers_step_inside_the_backward_its_end_is_the_steps() -> None:
    """Also for one whose parameters are frozen, which does not step."""
    model = nn.Linear(2, 1)
    optimizers = {p: SGD([p], lr=0.1) for p in model.parameters()}
    steps = Steps(optimizers=list(optimizers.values()))
    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(lambda p: optimizers[p].step())  # type: ignore[index]
    loss(model)
    steps.boundaries.backward_ended()
    assert steps.ends() == 1
    model.bias.requires_grad_(False)
    loss(model)
    assert steps.ends() == 0
    steps.boundaries.backward_ended()
    assert steps.ends() == 1


@pytest.mark.parametrize("applied", ["by optimizers", "by the script"])
def test_late_in_a_run_a_backward_in_which_nothing_is_applied_ends_a_step_too(
    applied: str,
) -> None:
    """Though the time of most backwards is no longer taken by then."""
    model = nn.Linear(2, 1)
    optimizers = {p: SGD([p], lr=0.1) for p in model.parameters()}

    def apply(parameter: Tensor) -> None:
        if applied == "by optimizers":
            optimizers[parameter].step()  # type: ignore[index]
        else:
            with torch.no_grad():
                parameter -= 0.1 * parameter.grad
        parameter.grad = None

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(apply)
    with probe.attach(model, list(optimizers.values()), server=False, every=10) as run:
        for _ in range(60):
            loss(model)
        before = job_of(run).state.step
        model.bias.requires_grad_(False)
        for _ in range(60):
            loss(model)
        assert job_of(run).state.step - before == 60


def test_optimizers_that_begin_to_step_inside_the_backward_late_in_a_run_lose_no_step() -> None:
    """Nor where one of them has nothing to do from then on, as what it holds is frozen."""
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(3)))
    optimizers = [SGD(layer.parameters(), lr=0.1) for layer in model]
    with probe.attach(model, optimizers, server=False, every=1000) as run:
        for _ in range(60):
            model(torch.ones(1, 2)).sum().backward()
            for optimizer in optimizers:
                optimizer.step()
        run.freeze("0")
        job_of(run).measurement.timer.plan(wanted=False)  # as most steps are, late in a run
        for layer, optimizer in zip(model, optimizers, strict=True):
            # The weight's gradient comes after the bias's.
            layer.weight.register_post_accumulate_grad_hook(partial(step_with, optimizer))
        counted = []
        for _ in range(60):
            model(torch.ones(1, 2)).sum().backward()
            counted.append(job_of(run).state.step)
        assert counted == list(range(61, 121))


def step_with(optimizer: Optimizer, _: Tensor) -> None:
    optimizer.step()


def test_a_gate_ends_no_step_twice_where_optimizers_step_inside_the_backward(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor without end: each end of a backward is heard of once, also by who comes late."""
    closed: list[int] = []
    close = Boundaries._close

    def count(boundaries: Boundaries, *, late: bool) -> None:
        closed.append(1)
        assert len(closed) <= 120
        close(boundaries, late=late)

    monkeypatch.setattr(Boundaries, "_close", count)
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(3)))
    optimizers = [SGD(layer.parameters(), lr=0.1) for layer in model]
    for layer, optimizer in zip(model, optimizers, strict=True):
        layer.weight.register_post_accumulate_grad_hook(partial(step_with, optimizer))
    with probe.attach(model, optimizers, server=False, every=10) as run:
        model[0].requires_grad_(False)
        for step in range(1, 121):
            if step == 60:
                run.gate("param:2.bias", when="step > 90")
            model(torch.ones(1, 2)).sum().backward()
            assert job_of(run).state.step == step


def test_a_gate_that_comes_late_in_a_run_hears_of_the_end_of_each_backward(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it gates may be what a backward has reduced, which is there only then."""
    heard: list[int] = []
    end = BackwardTimer._end

    def hear(timer: BackwardTimer, clock: Any) -> None:
        heard.append(1)
        end(timer, clock)

    monkeypatch.setattr(BackwardTimer, "_end", hear)
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=10) as run:
        steps(model, optimizer, 1, 60)
        assert len(heard) < 60
        heard.clear()
        run.gate("param:stem.bias")
        steps(model, optimizer, 61, 90)
        assert len(heard) == 30


def test_removed_it_hears_nothing_and_leaves_the_optimizer_as_it_was() -> None:
    """A wrapper that somebody put around ours stays, and ours below it does nothing."""
    steps = Steps(2)
    first, second = steps.optimizers
    ours = second.zero_grad
    second.zero_grad = lambda *given, **named: ours(*given, **named)  # type: ignore[method-assign]
    steps.boundaries.remove()
    assert "zero_grad" not in first.__dict__
    assert "zero_grad" in second.__dict__
    for optimizer in (first, second):
        optimizer.step()
        optimizer.zero_grad()
    assert steps.take() == []


# Dynamo warns about its own use of deprecated and odd parts of torch.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
def test_a_compiled_optimizer_step_is_watched() -> None:
    """torch.compile(optimizer.step) neither compiles the probe nor loses a step."""
    torch._dynamo.reset()
    torch._dynamo.utils.clear_compilation_metrics()
    model, optimizer = plain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        step = torch.compile(optimizer.step, backend="eager")
        for _ in range(3):
            optimizer.zero_grad()
            zoo.loss_of(model, 1).backward()
            step()
        assert (job_of(run).state.step, job_of(run).guard.faults) == (3, 0)
    made = [each.co_name for each in torch._dynamo.utils.get_compilation_metrics()]
    assert sorted(made) == ["step", "wrapper"]  # torch's own


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


def test_a_gans_generator_that_overflows_once_is_one_skipped_step() -> None:
    """The round of an overflow is one step, flagged as skipped, and the next is a new one."""
    models = {"d": zoo.Plain(), "g": zoo.Plain()}
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.01) for m in models.values()]
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    with probe.attach(models, optimizers, server=False, every=1) as run:
        for iteration in range(5):
            for key, optimizer in zip(models, optimizers, strict=True):
                overflow = key == "g" and iteration == 2
                scaled_step(models[key], optimizer, scaler, torch.inf if overflow else 1.0)
        assert job_of(run).state.step == 5


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
