"""Writing a step down: what is on the tape, and what the step does not notice."""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.overrides import TorchFunctionMode

from gradgate.probe.base.guard import Guard
from gradgate.probe.base.source import Callers
from gradgate.probe.diagnosis import recorder as module
from gradgate.probe.diagnosis.modules import ModuleIndex
from gradgate.probe.diagnosis.recorder import TapeRecorder, tensors_of
from tests.support.tracing import Recorded


def leaf() -> Tensor:
    return torch.ones(2, requires_grad=True)


def edge(tensor: Tensor) -> GradientEdge:
    return get_gradient_edge(tensor)


def new() -> TapeRecorder:
    callers = Callers()
    return TapeRecorder([], ModuleIndex({}, callers), callers, Guard())


def test_calls_are_in_the_order_of_time_with_their_lines() -> None:
    """And with the module that was running."""

    class Layer(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.sin()

    model = nn.Sequential(Layer())
    x = torch.ones(2)
    recorded = Recorded(lambda: model(x).cos(), model)
    assert recorded.names == ["sin", "cos"]
    sin, cos = recorded.tape.calls
    assert (sin.module, cos.module) == ("0", None)
    assert sin.place is not None
    assert sin.place.line == Layer.forward.__code__.co_firstlineno + 1


def test_calls_that_make_nothing_are_not_on_the_tape() -> None:
    """Nor are attributes that are only read."""
    x = leaf()

    def step() -> None:
        assert x.shape
        assert x.is_leaf
        x.size()
        x.dim()

    assert Recorded(step).names == []


def test_a_write_is_known_by_its_version() -> None:
    """The tensor that was written to holds what came of both."""
    x, buffer = leaf(), torch.zeros(2)
    recorded = Recorded(lambda: buffer.add_(x.detach()).exp())
    (written,) = recorded.call("add_").outputs
    assert len(written.plain) == 2
    assert recorded.made_by("exp").plain == [written]


def test_a_shape_is_no_use_of_the_values() -> None:
    """Neither ``zeros_like`` nor the second of ``view_as``."""
    x, y = leaf(), leaf()

    def step() -> None:
        torch.zeros_like(x)
        x.view_as(y)

    recorded = Recorded(step)
    assert recorded.call("zeros_like").inputs == []
    assert recorded.call("view_as").inputs == recorded.leaves(x)


def test_an_assignment_to_data_is_a_write() -> None:
    """Though it counts as none."""
    x, y = leaf(), leaf()

    def step() -> None:
        x.data = y.exp().detach()

    recorded = Recorded(step)
    (written,) = recorded.call("data =").outputs
    assert recorded.leaves(x)[-1] is written
    assert recorded.dataflow.between(recorded.leaves(y), written)


def test_where_a_gradient_was_cleared_and_requires_grad_set_is_known() -> None:
    """By the tensor."""
    x, y = leaf(), leaf()

    def step() -> None:
        x.sum().backward()
        x.grad = None
        y.requires_grad_(False)

    recorded = Recorded(step)
    first = step.__code__.co_firstlineno
    (switch,) = recorded.tape.switches[id(y)]
    cleared = recorded.tape.gradients.cleared(id(x))
    assert cleared is not None
    assert not switch.on
    places = cleared.chain.place, switch.chain.place
    assert [place.line for place in places if place is not None] == [first + 2, first + 3]


@pytest.mark.parametrize(
    ("backward", "only", "returns"),
    [
        (lambda loss, x, y: loss.backward(), None, False),
        (lambda loss, x, y: loss.backward(inputs=[x]), "x", False),
        (lambda loss, x, y: loss.backward(inputs=x), "x", False),
        (lambda loss, x, y: torch.autograd.backward([loss]), None, False),
        (lambda loss, x, y: loss.backward(inputs=[]), "error", False),
        (lambda loss, x, y: torch.autograd.grad(loss, x), "x", True),
        (lambda loss, x, y: torch.autograd.grad(outputs=[loss], inputs=[x, y]), "xy", True),
        (lambda loss, x, y: torch.autograd.grad(loss, iter([x, y])), "xy", True),
        (lambda loss, x, y: loss.backward(inputs={"x": x}), "x", False),
        (lambda loss, x, y: loss.backward(inputs={x, y}), "xy", False),
        (lambda loss, x, y: loss.backward(inputs=iter([x, y])), "xy", False),
        (lambda loss, x, y: torch.autograd.backward(iter([loss]), inputs=iter([x])), "x", False),
        (lambda loss, x, y: loss.backward(inputs=[edge(x), y]), "xy", False),
        (lambda loss, x, y: torch.autograd.backward(edge(loss)), None, False),
        (lambda loss, x, y: torch.autograd.backward([edge(loss)], inputs=[x]), "x", False),
        (lambda loss, x, y: torch.autograd.backward([edge(loss)], inputs=edge(x)), "x", False),
        (lambda loss, x, y: torch.autograd.grad(edge(loss), [edge(y), x]), "xy", True),
        (lambda loss, x, y: torch.autograd.grad([edge(loss)], [edge(x)]), "x", True),
    ],
)
def test_a_backward_knows_its_roots_and_its_inputs(
    backward: Callable[[Tensor, Tensor, Tensor], object], only: str | None, returns: bool
) -> None:
    """However it was called."""
    x, y = leaf(), leaf()

    def step() -> None:
        loss = (x * y).sum()
        if only == "error":
            with pytest.raises(RuntimeError, match="empty"):
                backward(loss, x, y)
        else:
            backward(loss, x, y)

    recorded = Recorded(step)
    (made,) = recorded.tape.backwards
    assert made.roots == [recorded.call("sum").outputs[0]]
    keys = {"x": {id(x)}, "xy": {id(x), id(y)}}.get(only or "")
    assert made.only == keys
    assert made.returns is returns


def test_a_backward_may_begin_at_what_a_tensor_has_left() -> None:
    """At a node, at one of a graph from before, at a leaf, and at several of these at once."""
    x, y, z = leaf(), leaf(), leaf()
    before = edge(y.exp())

    def step() -> None:
        after = edge(x.sin())
        roots = [after, before, edge(z), (x * y * z).sum()]
        torch.autograd.backward(roots, [torch.ones(2)] * 3 + [None])

    recorded = Recorded(step)
    (made,) = recorded.tape.backwards
    sin, exp, end, product = made.roots
    assert sin is recorded.made_by("sin")
    assert exp.made_by is not None
    assert exp.made_by.name == "ExpBackward0"
    assert exp.flows == recorded.leaves(y)[-1:]
    assert end is recorded.leaves(z)[0]
    assert product is recorded.made_by("sum")
    for each in (x, y, z):
        assert each.grad is not None
        assert recorded.dataflow.reaches(recorded.leaves(each))


def test_a_backward_inside_of_another_is_not_written_down() -> None:
    """Wherever it begins."""
    x, inner = leaf(), leaf()

    def hook(_: Tensor) -> None:
        with torch.enable_grad():
            torch.autograd.backward(edge(inner.exp()), torch.ones(2))

    def step() -> None:
        h = x.sin()
        h.register_hook(hook)
        h.sum().backward()

    recorded = Recorded(step)
    assert inner.grad is not None
    assert [each.roots for each in recorded.tape.backwards] == [[recorded.made_by("sum")]]


def test_a_recorder_that_is_stopped_in_a_backward_is_around_none_any_more() -> None:
    """As where a run is ended by a hook: what it stood around is given back at once, for good."""
    own = torch.autograd._engine_run_backward
    x, recorder = leaf(), new()

    def hook(_: Tensor) -> None:
        recorder.stop()

    recorder.start()
    y = x.sin()
    y.register_hook(hook)
    y.sum().backward()
    assert torch.autograd._engine_run_backward is own
    recorder.stop()  # torch puts a mode back that it was handing a call to


def test_what_a_backward_returns_comes_of_its_root() -> None:
    """And can be differentiated again."""
    x = leaf()

    def step() -> None:
        (slope,) = torch.autograd.grad(x.exp().sum(), x, create_graph=True)
        slope.square()

    recorded = Recorded(step)
    assert recorded.dataflow.between(recorded.leaves(x), recorded.made_by("square"))
    assert recorded.call("grad").inputs == [recorded.made_by("sum")]


@pytest.mark.parametrize("create_graph", [False, True])
def test_what_runs_in_a_backward_is_not_written_down(create_graph: bool) -> None:
    """Its hooks compute with gradients, and make tensors where no mode looks."""
    x = leaf()

    def hook(gradient: Tensor) -> Tensor:
        nn.Parameter(gradient.detach())
        return gradient.tan()

    def step() -> None:
        h = x.exp()
        h.register_hook(hook)
        torch.autograd.grad(h.sum(), x, create_graph=create_graph)
        x.cos()

    assert Recorded(step).names == ["exp", "sum", "grad", "cos"]


def test_what_was_off_is_known_to_a_call() -> None:
    """As long as it is off."""
    x = leaf()

    def step() -> None:
        with torch.no_grad():
            x.exp()
        x.cos()

    recorded = Recorded(step)
    off = recorded.call("exp").switched_off
    assert off is not None
    assert off.by == "no_grad"
    assert recorded.call("cos").switched_off is None


def test_numbers_leave_torch_by_the_call_that_gives_them() -> None:
    """One that gives a tensor of its own does not."""
    x = leaf()
    recorded = Recorded(lambda: x.sum().item())
    ((left, call),) = recorded.tape.escapes
    assert call.name == "item"
    assert left.lost == [recorded.made_by("sum")]


def test_a_deep_copy_is_made_of_what_it_copies() -> None:
    """Its parameters are others."""
    x = leaf()
    recorded = Recorded(lambda: copy.deepcopy(x).sum())
    assert recorded.dataflow.between(recorded.leaves(x), recorded.made_by("sum"))


def test_other_threads_are_not_written_down() -> None:
    """They have modes of their own."""
    x = leaf()

    def step() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(nn.Parameter, x.detach()).result()

    assert Recorded(step).names == ["detach"]


def test_a_step_that_is_too_long_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes after is missing, and that is known."""
    monkeypatch.setattr(module, "MOST_CALLS", 3)
    x = torch.ones(2)

    def step() -> None:
        for _ in range(5):
            x.exp()

    recorded = Recorded(step)
    assert recorded.tape.full
    assert len(recorded.tape.calls) == 3


def test_a_recorder_that_is_paused_writes_nothing() -> None:
    """And goes on after that."""
    recorder = new()
    recorder.start()
    recorder.paused = True
    torch.ones(2).exp()
    recorder.paused = False
    torch.ones(2).cos()
    recorder.stop()
    assert "exp" not in [call.name for call in recorder.tape.calls]
    assert "cos" in [call.name for call in recorder.tape.calls]


def test_a_recorder_stands_below_the_users_modes_and_leaves_them() -> None:
    """Those end in their own order."""

    class Counting(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            counted.append(func.__name__)
            return func(*args, **(kwargs or {}))

    counted: list[str] = []
    recorder = new()
    before = torch.overrides._len_torch_function_stack()  # type: ignore[attr-defined]
    with Counting():
        recorder.start()
        torch.ones(2).exp()
    torch.ones(2).cos()
    with Counting():
        torch.ones(2).sin()
        recorder.stop()
        torch.ones(2).tan()
    recorder.stop()
    assert counted == ["ones", "exp", "ones", "sin", "ones", "tan"]
    names = [call.name for call in recorder.tape.calls]
    assert [name for name in names if name != "ones"] == ["exp", "cos", "sin"]
    assert torch.overrides._len_torch_function_stack() == before  # type: ignore[attr-defined]


def test_tensors_are_found_in_what_a_function_takes_each_once() -> None:
    """In lists, tuples and dicts, in their order."""
    a, b, c = torch.ones(1), torch.ones(1), torch.ones(1)
    found = tensors_of(([a, (b, a)],), {"more": {"c": c}, "n": 1})
    assert {id(each) for each in found} == {id(a), id(b), id(c)}
    assert len(found) == 3
    first = tensors_of((a, [b, c]))
    assert [id(each) for each in first] == [id(a), id(b), id(c)]
