"""The backward that is under way, and what stands around a forward."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.utils.checkpoint import checkpoint

from gradgate.probe.torch_compat import autograd
from tests.support.lacking import door_without

GRAPH_TASK = "torch._C._current_graph_task_id"
ENGINE = "torch.autograd.Variable._execution_engine.queue_callback"
SAVING = "torch._C._autograd._top_saved_tensors_default_hooks"
HOOK = "torch.utils.checkpoint._checkpoint_hook"
RECOMPUTATION = "torch.utils.checkpoint._recomputation_hook"


def weight() -> Tensor:
    return torch.ones(2, requires_grad=True)


@pytest.mark.parametrize("missing", [False, True])
def test_a_backward_is_known_from_inside(missing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody knows it counts as outside."""
    door: Any = door_without(monkeypatch, "autograd", GRAPH_TASK) if missing else autograd
    seen: list[bool] = []
    value = weight()
    value.register_hook(lambda _: seen.append(door.inside_backward()))
    value.sum().backward()
    assert seen == [not missing]
    assert not door.inside_backward()


def test_a_callback_is_called_once_the_backward_is_over() -> None:
    """In the order in which they came, and those that they queue at the end."""
    value, called = weight(), list[str]()

    def hook(_: Tensor) -> None:
        def last() -> None:
            called.append("last")

        assert autograd.call_after_backward(lambda: autograd.call_after_backward(last))
        assert autograd.call_after_backward(lambda: called.append("first"))
        called.append("hook")

    value.register_hook(hook)
    value.sum().backward()
    assert called == ["hook", "first", "last"]


def test_without_the_engine_no_callback_is_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    """The backward goes on, and nothing is called."""
    door = door_without(monkeypatch, "autograd", ENGINE)
    value, promised = weight(), list[bool]()
    value.register_hook(lambda _: promised.append(door.call_after_backward(pytest.fail)))
    value.sum().backward()
    assert promised == [False]


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpoint_is_known_in_forward_and_recomputation(reentrant: bool) -> None:
    """A reentrant one saves nothing, and compares nothing."""
    seen: list[bool] = []

    def inside(value: Tensor) -> Tensor:
        seen.append(autograd.inside_checkpoint())
        return value * value

    checkpoint(inside, weight(), use_reentrant=reentrant).sum().backward()
    assert seen == [not reentrant, not reentrant]
    assert not autograd.inside_checkpoint()


def test_hooks_of_the_script_are_no_checkpoint() -> None:
    """Saved tensors may be packed for other reasons."""
    with torch.autograd.graph.save_on_cpu():
        assert not autograd.inside_checkpoint()


@pytest.mark.parametrize("names", [(SAVING,), (HOOK, RECOMPUTATION)])
def test_a_checkpoint_that_cannot_be_seen_is_none(
    names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Freezing is refused then; what asks nevertheless is answered."""
    door, seen = door_without(monkeypatch, "autograd", *names), list[bool]()

    def inside(value: Tensor) -> Tensor:
        seen.append(door.inside_checkpoint())
        return value * value

    checkpoint(inside, weight(), use_reentrant=False).sum().backward()
    assert seen == [False, False]


def test_transforms_traces_and_forward_mode_are_seen() -> None:
    """Nothing of theirs may be cut off in the forward."""
    seen: dict[str, bool] = {"outside": autograd.observed_by_transforms()}

    def look(name: str, value: Tensor) -> Tensor:
        seen[name] = autograd.observed_by_transforms()
        return value

    torch.func.vmap(lambda value: look("vmap", value))(torch.ones(2, 2))
    with forward_ad.dual_level():
        look("forward mode", torch.ones(1))
    assert seen == {"outside": False, "vmap": True, "forward mode": True}
    assert not autograd.observed_by_transforms()


@pytest.mark.filterwarnings("ignore:.torch.jit.trace")
def test_a_trace_is_seen() -> None:
    """Public torch tells of it."""

    class Looking(nn.Module):
        def forward(self, value: Tensor) -> Tensor:
            seen.append((autograd.is_traced(), autograd.observed_by_transforms()))
            return value * 2

    seen: list[tuple[bool, bool]] = []
    torch.jit.trace(Looking(), torch.ones(1), check_trace=False)
    assert seen == [(True, True)]
    assert not autograd.is_traced()


def test_where_transforms_cannot_be_seen_one_may_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """So nothing is cut off."""
    door = door_without(monkeypatch, "autograd", "torch._C._are_functorch_transforms_active")
    assert door.observed_by_transforms()
    monkeypatch.delattr(forward_ad, "_current_level")
    assert autograd.observed_by_transforms()


@pytest.mark.parametrize("missing", [False, True])
def test_a_later_node_has_a_larger_number(missing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where torch numbers none, all have the same."""
    door = autograd
    if missing:
        door = door_without(monkeypatch, "autograd", "torch.autograd.graph.Node._sequence_nr")
    first = torch.ones(1, requires_grad=True) * 2
    second = first * 2
    assert first.grad_fn is not None
    assert second.grad_fn is not None
    difference = door.number_of(second.grad_fn) - door.number_of(first.grad_fn)
    assert (difference > 0) is not missing
