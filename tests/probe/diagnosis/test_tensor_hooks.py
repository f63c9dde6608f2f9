"""Which hooks there are on tensors, and whose."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradgate.probe.base.source import Callers
from gradgate.probe.diagnosis.leaf_keys import LeafKeys
from gradgate.probe.diagnosis.tensor_hooks import TensorHooks
from gradgate.probe.measure.local_part import local_part
from gradgate.probe.measure.write_tracker import WriteTracker
from gradgate.probe.model.graph_walk import key_of
from tests.support.tracing import chain


def reverse(gradient: Tensor) -> Tensor:
    return -gradient


class Reversal:
    """Hooks that are no plain functions."""

    def method(self, gradient: Tensor) -> Tensor:
        return -gradient

    def __call__(self, gradient: Tensor) -> Tensor:
        return -gradient


@pytest.mark.parametrize(
    ("hook", "code"),
    [
        (reverse, reverse.__code__),
        (partial(reverse), reverse.__code__),
        (Reversal().method, Reversal.method.__code__),
        (Reversal(), Reversal.__call__.__code__),
    ],
)
@pytest.mark.parametrize("register", ["register_hook", "register_post_accumulate_grad_hook"])
def test_a_hook_from_before_the_step_is_where_its_function_begins(
    hook: Callable[[Tensor], Any], code: Any, register: str
) -> None:
    """Of whatever kind it is."""
    weight = nn.Parameter(torch.ones(1))
    getattr(weight, register)(hook)
    hooks = TensorHooks()
    hooks.look([weight], Callers(), LeafKeys())
    found = hooks.on_leaf(id(weight))
    assert found is not None
    assert found.place is not None
    assert not found.registered
    assert (found.place.file, found.place.line) == (code.co_filename, code.co_firstlineno)


def test_gradgates_own_hooks_are_nobodys() -> None:
    """Nor are those that no Python function is behind; but there is a hook."""
    weight = nn.Parameter(torch.ones(1))
    tracker = WriteTracker([weight])
    weight.register_hook(torch.zeros_like)
    weight.register_hook(local_part)
    hooks = TensorHooks()
    hooks.look([weight], Callers(), LeafKeys())
    tracker.remove()
    assert hooks.on_leaf(id(weight)) is None
    assert id(weight) in hooks.keys


def test_a_hook_of_the_step_is_where_it_was_registered() -> None:
    """That of a leaf only while it is there."""
    weight = nn.Parameter(torch.ones(1))
    made = weight * 2
    hooks = TensorHooks()
    for tensor in (weight, made):
        hooks.add(tensor, chain("train.py:7"), LeafKeys())
    hooks.look([weight], Callers(), LeafKeys())
    assert hooks.on_leaf(id(weight)) is None
    weight.register_hook(reverse)
    hooks.look([weight], Callers(), LeafKeys())
    assert made.grad_fn is not None
    for found in (hooks.on_leaf(id(weight)), hooks.on_node(key_of(made.grad_fn))):
        assert found is not None
        assert found.place is not None
        assert (found.place.text, found.registered) == ("train.py:7", True)
    hooks.clear()
    assert hooks.on_leaf(id(weight)) is None


@pytest.mark.parametrize(
    ("act", "moved"),
    [
        (lambda weight: weight.data.sub_(weight.grad), True),
        (lambda weight: torch.optim.SGD([weight], 0.1).step(), True),
        (lambda weight: weight.grad.zero_(), False),
    ],
)
def test_a_hook_that_moves_its_parameter_has_used_the_gradient(
    act: Callable[[Tensor], object], moved: bool
) -> None:
    """Whatever way it goes; a parameter without a hook is not looked at."""
    weight, other = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))

    def apply(parameter: Tensor) -> None:
        act(parameter)
        parameter.grad = None

    weight.register_post_accumulate_grad_hook(apply)
    hooks = TensorHooks()
    hooks.look([weight, other], Callers(), LeafKeys())
    weight.sum().backward()
    other.data.mul_(2)
    hooks.backward_ended()
    assert hooks.moved(id(weight)) is moved
    assert not hooks.moved(id(other))
