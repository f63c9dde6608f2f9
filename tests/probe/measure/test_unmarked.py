"""Marks on used gradients are put off until zero_grad, and never for too long."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
import torch
from torch import nn

from gradgate.probe.base.guard import Guard
from gradgate.probe.measure.unmarked import UnmarkedGradients
from gradgate.probe.torch_compat import patching


class Marks:
    """Two parameters with gradients, of an optimizer each, and whose marks were asked for."""

    def __init__(self) -> None:
        self.parameters = [nn.Parameter(torch.ones(1)) for _ in range(2)]
        self.marked: list[int] = []
        self.unmarked = UnmarkedGradients(self.parameters, self.marked.extend, Guard())
        self.backward()

    def backward(self) -> None:
        torch.stack(list(self.parameters)).sum().backward()

    def clear(self, k: int) -> None:
        self.parameters[k].grad = None
        self.unmarked.cleared(k, [k])


def test_the_first_step_is_marked_at_once() -> None:
    """Nobody knows yet what zero_grad does in this loop."""
    assert not Marks().unmarked.put_off(0, [0])


def test_what_zero_grad_drops_is_never_marked() -> None:
    """Nothing stands around the backward then, nor is anything left to ask about."""
    marks = Marks()
    before = torch.autograd._engine_run_backward
    for _ in range(2):
        marks.clear(0)
        marks.backward()
        assert marks.unmarked.put_off(0, [0])
    marks.clear(0)
    assert torch.autograd._engine_run_backward is before
    assert marks.marked == []


def test_a_backward_that_comes_first_finds_all_marked() -> None:
    """It may add to what is left, and nobody could tell then what was there before."""
    marks = Marks()
    marks.clear(0)
    marks.backward()
    assert marks.unmarked.put_off(0, [0])
    marks.backward()
    assert marks.marked == [0]
    assert not marks.unmarked.put_off(0, [0])


def test_what_zero_grad_leaves_is_marked_then_and_not_put_off_again() -> None:
    """A loop may keep its gradients and fill them with zeros from some step on."""
    marks = Marks()
    marks.clear(0)
    marks.backward()
    assert marks.unmarked.put_off(0, [0])
    marks.unmarked.cleared(0, [0])
    assert marks.marked == [0]
    assert not marks.unmarked.put_off(0, [0])


def test_one_optimizer_that_steps_again_leaves_the_other_alone() -> None:
    """Its own gradients are marked before they are looked at."""
    marks = Marks()
    for k in (0, 1):
        marks.clear(k)
    marks.backward()
    for k in (0, 1):
        assert marks.unmarked.put_off(k, [k])
    marks.unmarked.settle(1)
    assert marks.marked == [1]
    marks.unmarked.settle()
    assert marks.marked == [1, 0]


def test_backwards_are_seen_in_this_version_of_torch() -> None:
    """Where they are not, no mark is put off."""
    assert patching.sees_backwards


def test_an_optimizer_of_nothing_that_is_watched_leaves_the_backward_alone() -> None:
    """What it holds is in no model, as of two that are trained by turns."""
    marks = Marks()
    before = torch.autograd._engine_run_backward
    marks.unmarked.cleared(0, [])
    for _ in range(2):
        assert marks.unmarked.put_off(0, [])
        marks.unmarked.cleared(0, [])
        assert torch.autograd._engine_run_backward is before


def elsewhere(call: Callable[[], object]) -> None:
    """Call something in another thread, and wait for it."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.parametrize("how", ["backward", "grad"])
def test_autograd_in_another_thread_reads_no_gradient(how: str) -> None:
    """The training thread's own engine may write it then, which would end the process."""
    marks = Marks()
    marks.clear(0)
    marks.backward()
    assert marks.unmarked.put_off(0, [0])
    other = torch.ones(1, requires_grad=True)

    def run() -> None:
        if how == "backward":
            (other * 2).backward()
        else:
            torch.autograd.grad(other * 2, other)

    elsewhere(run)
    assert marks.marked == []
    assert marks.unmarked.waiting
    marks.backward()
    assert marks.marked == [0]


def test_what_another_thread_asks_about_is_not_marked_any_more() -> None:
    """A backward may have come in that thread since, before which nobody could mark it."""
    marks = Marks()
    marks.clear(0)
    marks.backward()
    assert marks.unmarked.put_off(0, [0])
    elsewhere(marks.unmarked.settle)
    assert marks.marked == []
    assert not marks.unmarked.waiting
    assert not marks.unmarked.put_off(0, [0])


BESIDE = """
import threading, torch
from torch import nn
from gradgate import probe

def made():
    model = nn.Sequential(nn.Linear(6, 16), nn.Linear(16, 16), nn.Linear(16, 3))
    return model, torch.optim.SGD(model.parameters(), lr=0.01)

def step(model, optimizer):
    optimizer.zero_grad()
    model(torch.ones(8, 6)).square().mean().backward()
    optimizer.step()

watched, other, over = made(), made(), threading.Event()
probe.attach(*watched, server=False, every=1)

def beside():
    while not over.is_set():
        step(*other)

thread = threading.Thread(target=beside)
thread.start()
for _ in range(1500):
    step(*watched)
over.set()
thread.join()
"""


def test_a_job_that_trains_another_model_in_a_thread_goes_on() -> None:
    """It ended by a signal in three of four runs, while one thread read what another wrote."""
    done = subprocess.run([sys.executable, "-c", BESIDE], timeout=120, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
