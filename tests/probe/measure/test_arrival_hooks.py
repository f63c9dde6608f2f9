"""Parameters are hooked where nothing else can tell what came to them, and no sooner."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gradgate.probe.base.guard import Guard
from gradgate.probe.measure.arrival_hooks import ArrivalHooks
from gradgate.probe.torch_compat.before_backward import BeforeBackward


class Hooked:
    """Two parameters, and hooks on them; something is ``left`` as soon as that is said."""

    def __init__(self, wanted: Iterable[int] = ()) -> None:
        self.parameters = [nn.Parameter(torch.ones(2)) for _ in range(2)]
        self.left = False
        self.hooks = ArrivalHooks(self.parameters, lambda _: self.left, Guard(), wanted)

    def backward(self) -> None:
        torch.stack(list(self.parameters)).sum().backward()

    @property
    def hooked(self) -> list[bool]:
        return [bool(p._post_accumulate_grad_hooks) for p in self.parameters]


def elsewhere(call: Callable[[], object]) -> None:
    """Call something in another thread, and wait for it."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


def test_a_backward_that_finds_something_left_is_told_of_by_all() -> None:
    """Of one that found nothing nobody could tell, but that none came before it is known."""
    hooked = Hooked()
    hooked.hooks.follow(at_once=False)
    assert hooked.hooks.tells(0)
    hooked.backward()
    assert hooked.hooked == [False, False]
    assert not hooked.hooks.tells(0)
    hooked.hooks.retire([0])
    assert hooked.hooks.tells(0)
    assert not hooked.hooks.tells(1)  # of another optimizer, which has not stepped yet

    hooked.left = True
    hooked.backward()
    assert hooked.hooked == [True, True]
    assert hooked.hooks.tells(0)
    assert hooked.hooks.came(0)
    hooked.hooks.retire([0, 1])
    assert not hooked.hooks.came(0)
    assert hooked.hooks.none_came


def test_at_once_is_before_any_backward() -> None:
    """As where gradients are known to persist."""
    hooked = Hooked()
    hooked.hooks.follow(at_once=True)
    assert hooked.hooked == [True, True]


@pytest.mark.parametrize("when", ["at the start", "later"])
def test_what_is_wanted_is_hooked_alone(when: str) -> None:
    """A parameter in no optimizer, or without a gradient; the others cost nothing."""
    hooked = Hooked([1] if when == "at the start" else [])
    hooked.hooks.want(1)
    hooked.hooks.follow(at_once=False)
    assert hooked.hooked == [False, True]


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_has_such_a_hook_of_the_script_is_hooked(when: str) -> None:
    """It costs nothing more there, and the script may step in its hook and drop the gradient."""
    hooked = Hooked()

    def drop(parameter: Tensor) -> None:
        parameter.grad = None

    if when == "before":
        hooked.parameters[0].register_post_accumulate_grad_hook(drop)
    hooked.hooks.follow(at_once=False)
    if when == "after":
        hooked.parameters[0].register_post_accumulate_grad_hook(drop)
    hooked.backward()
    assert hooked.hooks.came(0)
    assert not hooked.hooks.came(1)


def test_a_backward_of_another_thread_hooks_nothing_but_from_the_next_step_on() -> None:
    """The training thread may be in its own, whose engine goes through the hooks."""
    hooked = Hooked()
    hooked.hooks.follow(at_once=False)
    hooked.left = True
    elsewhere(hooked.backward)
    assert hooked.hooked == [False, False]
    hooked.hooks.follow(at_once=False)
    assert hooked.hooked == [True, True]


def test_a_hook_behind_a_backward_tells_from_the_next_step_on() -> None:
    """As that of another optimizer, which has not stepped yet when the first has found one left."""
    hooked = Hooked()
    hooked.hooks.follow(at_once=False)
    hooked.hooks.retire([0, 1])
    hooked.backward()
    hooked.hooks.follow(at_once=True)
    hooked.hooks.retire([0])
    assert hooked.hooks.tells(0)
    assert not hooked.hooks.tells(1)
    hooked.hooks.retire([1])
    assert hooked.hooks.tells(1)
    hooked.backward()
    assert hooked.hooks.came(1)


def test_a_hook_behind_a_backward_tells_of_the_next() -> None:
    """Also of one that does not come to it."""
    hooked = Hooked()
    hooked.hooks.follow(at_once=False)
    hooked.backward()
    hooked.hooks.follow(at_once=True)
    hooked.hooks.retire([0])
    hooked.parameters[0].sum().backward()
    assert hooked.hooks.tells(1)
    assert not hooked.hooks.came(1)
    assert hooked.hooks.came(0)


def test_what_came_is_forgotten_with_the_hooks() -> None:
    """They may come again, and tell then what comes by that time."""
    hooked = Hooked()
    hooked.hooks.follow(at_once=True)
    hooked.backward()
    hooked.hooks.stop()
    assert not hooked.hooks.came(0)
    assert hooked.hooks.none_came
    hooked.hooks.follow(at_once=True)
    hooked.backward()
    assert hooked.hooks.came(0)


@pytest.mark.parametrize("seen", [True, False])
def test_a_gradient_that_no_backward_was_seen_to_bring_has_all_hooked(seen: bool) -> None:
    """From the next step on: C++ begins some, as that of a scripted function."""
    hooked = Hooked()
    hooked.hooks.follow(at_once=False)
    loss = torch.stack(list(hooked.parameters)).sum()
    if seen:
        loss.backward()
    else:
        engine = torch.autograd.Variable._execution_engine
        engine.run_backward((loss,), (torch.ones(()),), False, False, (), True, True)
    assert hooked.parameters[0].grad is not None
    hooked.hooks.retire([0, 1])
    hooked.hooks.follow(at_once=False)
    assert hooked.hooked == [not seen, not seen]


def test_a_backward_inside_a_backward_hooks_nothing() -> None:
    """As that of a reentrant checkpoint: ``fully_shard`` goes through the hooks meanwhile."""
    hooked = Hooked()
    hooked.hooks.follow(at_once=False)
    hooked.backward()
    x = torch.ones(2, requires_grad=True)
    out = checkpoint(lambda y: y * hooked.parameters[0], x, use_reentrant=True)

    def leave(grad: Tensor) -> None:
        hooked.left = True

    doubled = out * 2
    doubled.register_hook(leave)
    doubled.sum().backward()
    assert hooked.left
    assert hooked.hooked == [False, False]


def test_nothing_stands_around_a_backward_once_it_is_over() -> None:
    """Nor is any hook left."""
    gc.collect()  # what other tests have left standing
    hooked = Hooked([0])
    before = torch.autograd._engine_run_backward
    hooked.hooks.follow(at_once=False)
    assert torch.autograd._engine_run_backward is not before
    hooked.hooks.stop()
    assert torch.autograd._engine_run_backward is before
    assert hooked.hooked == [False, False]


def test_hooks_are_there_at_once_where_no_backward_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a version of torch in which that part has gone."""
    monkeypatch.setattr(BeforeBackward, "works", False)
    hooked = Hooked()
    hooked.hooks.follow(at_once=False)
    assert hooked.hooked == [True, True]
