"""The time of backward, against a clock around the user's own ``loss.backward()``."""

from __future__ import annotations

import copy
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gradgate.probe.base.guard import Guard
from gradgate.probe.measure import backward_timer
from gradgate.probe.measure.backward_timer import BackwardTimer
from gradgate.probe.torch_compat.module_hooks import ModuleHook

ENGINE: Any = torch.autograd.Variable._execution_engine  # type: ignore[attr-defined]


class Slow(torch.autograd.Function):
    """The identity, whose backward keeps the processor busy for a while."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, seconds: float) -> Tensor:
        ctx.seconds = seconds
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        busy(ctx.seconds)
        return grads[0].clone(), None


def busy(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


class Model(nn.Module):
    """A layer whose backward takes 20 ms at least; ``wrap`` makes its output."""

    def __init__(self, wrap: Callable[[Tensor], Any] = lambda x: x, seconds: float = 0.02) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)
        self.seconds = seconds
        self.wrap = wrap

    def forward(self, x: Tensor) -> Any:
        return self.wrap(Slow.apply(self.inner(x), self.seconds))  # type: ignore[no-untyped-call]


@pytest.fixture
def arm() -> Iterator[Callable[..., BackwardTimer]]:
    """Make timers, and see at the end that nothing failed inside."""
    guard = Guard()
    timers = []
    hooks = []

    def begin(timer: BackwardTimer, model: nn.Module, _: object) -> None:
        if not torch.compiler.is_compiling():
            timer.forward_begins(model)

    def make(*models: nn.Module) -> BackwardTimer:
        timer = BackwardTimer(models, guard)
        timers.append(timer)
        timer.arm()
        hook = ModuleHook(guard, partial(begin, timer))
        hooks.extend(model.register_forward_pre_hook(hook) for model in models)
        return timer

    yield make
    for added in (*timers, *hooks):
        added.remove()
    assert guard.faults == 0


def seconds(timer: BackwardTimer, step: int = 1) -> float:
    """The one figure of a step."""
    (figure,) = timer.step_ended(step)
    assert (figure.step, figure.memory) == (step, None)
    return figure.seconds


def data() -> Tensor:
    return torch.randn(3, 4)


def test_the_figure_is_that_of_a_clock_around_backward(
    arm: Callable[..., BackwardTimer],
) -> None:
    """Within a fifth below the time by hand, and never above it."""
    model = nn.Sequential(*(nn.Linear(256, 256) for _ in range(6)))
    timer = arm(model)
    ratios = []
    for step in range(15):
        loss = model(torch.randn(256, 256)).square().mean()
        began = time.perf_counter()
        loss.backward()
        by_hand = time.perf_counter() - began
        ratios.append(seconds(timer, step) / by_hand)
    assert max(ratios) <= 1
    assert sorted(ratios)[7] > 0.8


def test_backward_calls_of_a_step_are_added_up(arm: Callable[..., BackwardTimer]) -> None:
    """Gradient accumulation and two losses are one figure; a step without backward has none."""
    model = Model()
    timer = arm(model)
    for _ in range(3):
        model(data()).sum().backward()
    assert seconds(timer) >= 0.06
    assert timer.step_ended(2) == []
    model(data())
    assert timer.step_ended(3) == []


def test_a_backward_through_two_models_counts_once(arm: Callable[..., BackwardTimer]) -> None:
    """As in a GAN, whose generator is trained through the discriminator."""
    first, second = Model(), Model()
    timer = arm(first, second)
    loss = second(first(data())).sum()
    began = time.perf_counter()
    loss.backward()
    assert 0.04 <= seconds(timer) <= time.perf_counter() - began


@dataclass
class Output:
    """What a forward may return."""

    logits: Tensor


@pytest.mark.parametrize(
    ("wrap", "pick"),
    [
        (lambda x: (None, x), lambda output: output[1]),
        (lambda x: {"a": [x, 3]}, lambda output: output["a"][0]),
        (Output, lambda output: output.logits),
        (lambda x: torch.distributions.Normal(x, 1.0), lambda output: output.loc),
    ],
    ids=["tuple", "nested", "dataclass", "distribution"],
)
def test_outputs_of_all_shapes_are_seen(
    arm: Callable[..., BackwardTimer], wrap: Callable[[Tensor], Any], pick: Callable[[Any], Tensor]
) -> None:
    """Containers, dataclasses and distributions."""
    model = Model(wrap)
    timer = arm(model)
    pick(model(data())).sum().backward()
    assert seconds(timer) >= 0.02


def test_a_module_called_twice_is_timed_from_its_last_call(
    arm: Callable[..., BackwardTimer],
) -> None:
    """Both calls' backward is in the figure."""
    model = Model()
    timer = arm(model)
    model(model(data())).sum().backward()
    assert seconds(timer) >= 0.04


def test_an_output_without_a_graph_has_no_figure(arm: Callable[..., BackwardTimer]) -> None:
    """Evaluation, a frozen model, an output that is a parameter, an integer output."""
    model = Model()
    timer = arm(model)
    with torch.no_grad():
        model(data())
    model.requires_grad_(False)
    (model(data()).sum() + torch.ones(1, requires_grad=True)).backward()
    model.requires_grad_(True)
    model.wrap = lambda x: (model.inner.weight, x.argmax())
    model(data())[0].sum().backward()
    assert timer.step_ended(1) == []


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("whole", [True, False])
def test_checkpointing_counts_the_second_forward_too(
    arm: Callable[..., BackwardTimer], reentrant: bool, whole: bool
) -> None:
    """A checkpoint inside the model or around it, of either kind, is timed once and whole."""
    inner = Model()

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor) -> Tensor:
            return checkpoint(self.inner, x, use_reentrant=reentrant) * 2  # type: ignore[no-any-return]

    inner.inner.register_forward_pre_hook(lambda *_: busy(0.02))
    x = data().requires_grad_()
    if whole:
        timer = arm(inner)
        loss = checkpoint(inner, x, use_reentrant=reentrant).sum()
    else:
        model = Outer()
        timer = arm(model)
        loss = model(x).sum()
    began = time.perf_counter()
    loss.backward()
    assert 0.04 <= seconds(timer) <= time.perf_counter() - began


def test_what_the_engine_does_at_the_end_of_a_backward_counts(
    arm: Callable[..., BackwardTimer],
) -> None:
    """Callbacks that others queue, as DistributedDataParallel does to wait for its buckets."""
    model = Model(seconds=0)
    timer = arm(model)
    weight = model.inner.weight
    weight.register_post_accumulate_grad_hook(lambda _: ENGINE.queue_callback(lambda: busy(0.03)))
    model(data()).sum().backward()
    assert seconds(timer) >= 0.03


def test_a_backward_that_raised_gives_its_step_no_figure(
    arm: Callable[..., BackwardTimer],
) -> None:
    """Not half a figure; and the next step is timed as ever."""
    model = Model()
    timer = arm(model)

    def fail(_: Tensor) -> None:
        raise ValueError("the script's own check")

    for again in (False, True):
        handle = model.inner.weight.register_hook(fail)
        with pytest.raises(ValueError, match="own check"):
            model(data()).sum().backward()
        handle.remove()
        if again:
            model(data()).sum().backward()
        assert timer.step_ended(1) == []
        model(data()).sum().backward()
        assert seconds(timer, 2) >= 0.02


def test_a_backward_in_another_thread_is_timed(arm: Callable[..., BackwardTimer]) -> None:
    """The step's figure holds what was finished before its end."""
    model = Model()
    timer = arm(model)
    thread = threading.Thread(target=model(data()).sum().backward)
    thread.start()
    thread.join()
    assert seconds(timer) >= 0.02


def test_a_step_that_ends_inside_a_backward_is_counted_with_the_next(
    arm: Callable[..., BackwardTimer],
) -> None:
    """An optimizer per parameter, stepped inside backward."""
    model = Model()
    timer = arm(model)
    ended: list[Any] = []
    model.inner.weight.register_post_accumulate_grad_hook(
        lambda _: ended.append(timer.step_ended(len(ended) + 1))
    )
    for _ in range(3):
        model(data()).sum().backward()
    assert [len(figures) for figures in ended] == [0, 1, 1]
    assert ended[1][0].step == 2
    assert ended[1][0].seconds >= 0.02


def test_gradients_are_bitwise_the_same(arm: Callable[..., BackwardTimer]) -> None:
    """Also those of a gradient penalty, through create_graph."""

    def grads(model: nn.Module) -> list[Tensor]:
        torch.manual_seed(1)
        x = data().requires_grad_()
        output = torch.tanh(model(x))
        (slope,) = torch.autograd.grad(output.sum(), x, create_graph=True)
        (output.sum() + slope.norm()).backward()
        return [
            parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None
        ]

    plain = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
    watched = copy.deepcopy(plain)
    timer = arm(watched)
    for ours, theirs in zip(grads(watched), grads(plain), strict=True):
        assert torch.equal(ours, theirs)
    assert seconds(timer) > 0


def test_copies_and_pickles_of_the_model_are_not_timed(
    arm: Callable[..., BackwardTimer],
) -> None:
    """A momentum copy trains without a word, and the original's figure is its own."""
    model = nn.Linear(4, 4)
    timer = arm(model)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        other(data()).sum().backward()
    assert timer.step_ended(1) == []


def test_after_remove_nothing_is_left(arm: Callable[..., BackwardTimer]) -> None:
    """No hooks on the model, no time from graphs of before, and arm() again works."""
    model = nn.Linear(4, 4)
    timer = arm(model)
    loss = model(data()).sum()
    timer.remove()
    timer.remove()
    assert not model._forward_hooks
    assert len(model._forward_pre_hooks) == 1  # the test's own
    loss.backward()
    assert timer.step_ended(1) == []
    timer.arm()
    timer.arm()
    assert len(model._forward_hooks) == 1
    model(data()).sum().backward()
    assert seconds(timer) > 0


def test_armed_anew_it_sees_the_graph_that_a_later_hook_gave(
    arm: Callable[..., BackwardTimer],
) -> None:
    """The hooks are then behind those that were added since."""
    model = Model()
    model.requires_grad_(False)
    timer = arm(model)
    leaf = torch.zeros(1, requires_grad=True)
    model.register_forward_hook(lambda *hooked: Slow.apply(hooked[2] + leaf, 0.02))  # type: ignore[no-untyped-call]
    model(data()).sum().backward()
    assert timer.step_ended(1) == []
    timer.arm()
    model(data()).sum().backward()
    assert seconds(timer, 2) >= 0.02


# Dynamo warns about its own use of deprecated and odd parts of torch.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
@pytest.mark.parametrize("order", ["wrapped", "after", "in-place"])
def test_compiled_models_are_timed_where_the_wrapper_is_watched(
    arm: Callable[..., BackwardTimer], order: str
) -> None:
    """The graph stays whole in any order; wrapped after it was watched there is no figure.

    Nor is there one in place from torch 2.14 on, which compiles the hooks there.
    """
    torch._dynamo.reset()
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
    in_place = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 14)
    timed = {"wrapped": True, "after": False, "in-place": in_place}[order]
    compiled: Any = model
    if order == "in-place":
        timer = arm(model)
        model.compile(backend="aot_eager", fullgraph=True)
    else:
        compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
        timer = arm(compiled if order == "wrapped" else model)
    for step in range(2):
        compiled(data()).sum().backward()
        figures = timer.step_ended(step)
        assert len(figures) == timed


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
def test_compiled_autograd_is_left_alone(arm: Callable[..., BackwardTimer]) -> None:
    """Its whole graph is traced without a break, and there is no figure."""
    torch._dynamo.reset()
    model = nn.Linear(4, 4)
    timer = arm(model)
    compiler = torch.compile(backend="eager", fullgraph=True)
    with torch._dynamo.compiled_autograd._enable(compiler):
        model(data()).sum().backward()
    assert timer.step_ended(1) == []
    assert model.weight.grad is not None


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_function_transforms_go_through(arm: Callable[..., BackwardTimer]) -> None:
    """torch.func's vmap, grad, jvp and hessian see no hook."""
    model = nn.Linear(4, 3)
    arm(model)
    x = data()
    assert torch.func.vmap(model)(x[:, None]).shape == (3, 1, 3)
    assert torch.func.jvp(model, (x,), (x,))[1].shape == (3, 3)
    assert torch.func.grad(lambda x: model(x).sum())(x).shape == (3, 4)
    assert torch.func.hessian(lambda x: model(x).sum())(x).shape == (3, 4, 3, 4)


class LateClock:
    """Stands for a device's events, whose figure is known when the test says so."""

    known = False

    def stop(self) -> None:
        """Nothing to end."""

    def ready(self) -> bool:
        """Whether the figure is known."""
        return self.known

    def seconds(self) -> float:
        """A figure."""
        return 0.5


def test_figures_that_come_late_keep_their_step(
    arm: Callable[..., BackwardTimer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for a device; when its figures arrive they come in order, each once."""
    monkeypatch.setattr(backward_timer, "make_clock", lambda device: LateClock())
    model = nn.Linear(4, 4)
    timer = arm(model)
    for step in (1, 2):
        model(data()).sum().backward()
        assert timer.step_ended(step) == []
    monkeypatch.setattr(LateClock, "known", True)
    assert [(f.step, f.seconds) for f in timer.step_ended(3)] == [(1, 0.5), (2, 0.5)]
    assert timer.step_ended(4) == []


def test_a_backward_that_was_given_up_stops_no_other_clock(
    arm: Callable[..., BackwardTimer],
) -> None:
    """As of a thread in whose midst another one begins a forward."""
    model = Model()
    timer = arm(model)
    begun, goes_on = threading.Event(), threading.Event()

    def backward() -> None:
        model(data()).sum().backward()

    other = threading.Thread(target=backward)

    def hook(_: Tensor) -> None:
        if threading.current_thread() is other:
            begun.set()
            assert goes_on.wait(20)
        else:
            goes_on.set()
            other.join(20)
            busy(0.03)

    model.inner.weight.register_hook(hook)
    other.start()
    assert begun.wait(20)
    loss = model(data()).sum()
    assert timer.step_ended(1) == []
    loss.backward()
    assert not other.is_alive()
    assert seconds(timer, 2) >= 0.05


def test_a_step_that_nobody_wants_to_know_of_is_left_alone(
    arm: Callable[..., BackwardTimer],
) -> None:
    """It has no figure, also where hooks are put on anew; the next that is wanted has one."""
    model = Model()
    timer = arm(model)
    timer.plan(wanted=False)
    model(data()).sum().backward()
    assert timer.step_ended(1) == []
    timer.arm()  # as after a freeze: it stays so
    model(data()).sum().backward()
    assert timer.step_ended(2) == []
    timer.plan(wanted=True)
    model(data()).sum().backward()
    assert seconds(timer, 3) >= 0.02


def test_whoever_has_to_hear_of_the_end_of_backwards_hears_of_each() -> None:
    """Also of those whose time nobody wants to know."""
    ended: list[int] = []
    model = Model(seconds=0.0)
    timer = BackwardTimer([model], Guard(), lambda: ended.append(1))
    timer.arm()
    timer.plan(wanted=False)
    model(data()).sum().backward()
    assert ended == []
    timer.follow_ends()
    for _ in range(3):
        timer.plan(wanted=False)
        model(data()).sum().backward()
    assert len(ended) == 3
    timer.remove()


def test_what_a_timed_step_has_left_is_not_timed_in_one_that_is_left_alone(
    arm: Callable[..., BackwardTimer],
) -> None:
    """As through a state that goes from step to step: its clock would begin in the midst."""
    model = Model(seconds=0.0)
    timer = arm(model)
    memory = model(data())
    memory.sum().backward(retain_graph=True)
    assert seconds(timer, 1) > 0
    timer.plan(wanted=False)
    (memory + model(data())).sum().backward()
    assert timer.step_ended(2) == []
