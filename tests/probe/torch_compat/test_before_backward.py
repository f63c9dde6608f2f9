"""Something is done just before a backward begins, in the thread that makes the steps."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gradgate.probe.base.guard import Guard
from gradgate.probe.torch_compat.before_backward import BeforeBackward


class Counted:
    """Counts the backwards that it is told of, with what was there when each began."""

    def __init__(self) -> None:
        self.x = torch.ones(1, requires_grad=True)
        self.found: list[bool] = []
        self.before = BeforeBackward(Guard(), self.begins)

    def begins(self) -> None:
        self.found.append(self.x.grad is None)


def backward(x: Tensor) -> None:
    (x * 2).backward()


WAYS: list[Callable[[Tensor], object]] = [
    backward,
    lambda x: torch.autograd.backward([x * 2]),
    lambda x: torch.autograd.grad(x * 2, x),
]


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_begin_one_is_told_before_anything_has_come(
    way: Callable[[Tensor], object],
) -> None:
    """From the start on, until it is stopped."""
    counted = Counted()
    way(counted.x)
    counted.x.grad = None
    counted.before.start()
    way(counted.x)
    counted.before.stop()
    way(counted.x)
    assert counted.before.count == 1
    assert counted.found == [True]


def test_a_backward_in_another_thread_is_known_and_not_told() -> None:
    """What is asked there could be what this thread's engine is writing."""
    counted = Counted()
    counted.before.start()
    assert not counted.before.elsewhere
    thread = threading.Thread(target=backward, args=(counted.x,))
    thread.start()
    thread.join(20)
    assert counted.before.elsewhere
    assert counted.before.count == 1
    assert counted.found == []


def test_what_fails_before_a_backward_fails_no_backward(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradient comes, and the fault is counted."""
    monkeypatch.delenv("GRADGATE_STRICT", raising=False)

    class Failing(Counted):
        def begins(self) -> None:
            raise RuntimeError("it fails")

    failing, guard = Failing(), Guard()
    failing.before = BeforeBackward(guard, failing.begins)
    failing.before.start()
    backward(failing.x)
    assert failing.x.grad is not None
    assert guard.faults


def test_it_ends_with_whoever_asked() -> None:
    """Nothing stands around a backward then."""
    gc.collect()  # what other tests have left standing
    before = torch.autograd._engine_run_backward
    counted = Counted()
    counted.before.start()
    assert torch.autograd._engine_run_backward is not before
    del counted
    gc.collect()
    assert torch.autograd._engine_run_backward is before


@pytest.mark.filterwarnings("error:Dynamo does not know:UserWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
def test_dynamo_makes_nothing_of_it_in_a_compiled_step() -> None:
    """It is called all the same, for there the backward is run as ever."""
    counted = Counted()
    counted.before.start()
    torch.compiler.reset()
    counters = torch._dynamo.utils.counters
    counters.clear()

    @torch.compile(backend="eager")
    def step(x: Tensor) -> None:
        (x * 2).sum().backward()

    for _ in range(3):
        step(counted.x)
    assert counted.found == [True, False, False]
    assert counters["stats"]["unique_graphs"] == 1
    counted.before.stop()
