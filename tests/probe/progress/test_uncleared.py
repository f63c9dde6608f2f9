"""Gradients that nobody clears between steps."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

from gradgate.probe import Alert
from gradgate.probe.base.guard import Guard
from gradgate.probe.model.table import ParameterTable
from gradgate.probe.progress.step_places import StepPlaces
from gradgate.probe.progress.uncleared import UnclearedGradients


class Watched:
    """A layer, and the watch on its gradients around each step."""

    def __init__(self) -> None:
        self.model = nn.Linear(2, 2)
        self.optimizer = SGD(self.model.parameters(), lr=0.1)
        self.held = [0, 1]
        self.guard = Guard()
        table = ParameterTable({"": self.model})
        self.watch = UnclearedGradients(
            [self.optimizer], table, lambda k: self.held, StepPlaces(), self.guard
        )
        self.made = 0

    def steps(
        self,
        count: int,
        clear: Callable[[], object] = lambda: None,
        after: Callable[[], object] = lambda: None,
        backwards: int = 1,
        *,
        sampled: bool = True,
    ) -> list[Alert]:
        """Make steps; ``clear`` before each backward, ``after`` between it and the step."""
        for _ in range(count):
            clear()
            for _ in range(backwards):
                self.model(torch.ones(1, 2)).sum().backward()
            after()
            self.made += 1
            self.watch.before_step(0, self.made)
            self.optimizer.step()
            self.watch.after_step(0, sampled=sampled)
        return list(self.watch.find(last=False))

    def hooks(self) -> int:
        return sum(len(p._backward_hooks or {}) for p in self.model.parameters())

    def each(self, change: Callable[[Tensor], object]) -> None:
        for parameter in self.model.parameters():
            if parameter.grad is not None:
                change(parameter.grad)


def test_two_steps_that_agree_are_an_alert() -> None:
    """Of the run, when all pile up, since the first step that repeated an earlier one."""
    watched = Watched()
    assert watched.steps(2) == []
    (alert,) = watched.steps(1)
    assert (alert.parameter, alert.cause, alert.since_step) == (None, "not_cleared", 2)


@pytest.mark.parametrize("backwards", [1, 3])
def test_clipping_after_the_last_backward_is_no_clearing(backwards: int) -> None:
    """Nor are several backwards."""
    watched = Watched()
    clip = lambda: nn.utils.clip_grad_norm_(watched.model.parameters(), 0.1)  # noqa: E731
    assert len(watched.steps(3, after=clip, backwards=backwards)) == 1


CLEARINGS: list[Callable[[Watched], object]] = [
    lambda watched: watched.optimizer.zero_grad(),
    lambda watched: watched.optimizer.zero_grad(set_to_none=False),
    lambda watched: watched.model.zero_grad(set_to_none=False),
    lambda watched: watched.each(Tensor.zero_),
    lambda watched: watched.each(lambda grad: grad.data.zero_()),
    lambda watched: watched.each(lambda grad: grad.mul_(0.5)),
    lambda watched: watched.each(lambda grad: torch._foreach_zero_([grad])),
]


@pytest.mark.parametrize("clear", CLEARINGS)
def test_every_way_of_clearing_counts(clear: Callable[[Watched], object]) -> None:
    """In place, counted by PyTorch or not, and by dropping; making smaller is meant, too."""
    watched = Watched()
    assert watched.steps(4, lambda: clear(watched)) == []


def test_what_another_backward_adds_and_the_script_clears_in_time_is_well() -> None:
    """As with a discriminator whose gradients the generator's backward adds to."""
    watched = Watched()

    def clear() -> None:
        watched.model(torch.ones(1, 2)).sum().backward()
        watched.optimizer.zero_grad(set_to_none=False)

    assert watched.steps(4, clear) == []


@pytest.mark.parametrize("copied", [False, True])
def test_what_autograd_grad_returns_is_added_to_nothing(copied: bool) -> None:
    """A script that writes gradients itself, in place or not, replaces what was applied."""
    watched = Watched()
    parameters = list(watched.model.parameters())
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)

    def write() -> None:
        loss = watched.model(torch.ones(1, 2)).sum()
        for parameter, grad in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            if copied and parameter.grad is not None:
                parameter.grad.copy_(grad)
            else:
                parameter.grad = grad

    assert watched.steps(4, write, backwards=0) == []


def test_a_part_that_is_not_cleared_is_named() -> None:
    """The rest is not."""
    watched = Watched()
    (alert,) = watched.steps(3, lambda: setattr(watched.model.weight, "grad", None))
    assert (alert.parameter, alert.name) == (1, "bias")


def test_a_script_that_begins_to_clear_is_believed_at_the_next_look() -> None:
    """Looks become seldom, and find it all the same."""
    watched = Watched()
    assert len(watched.steps(4)) == 1
    assert watched.steps(8, watched.optimizer.zero_grad) == []


def test_hooks_are_there_for_few_steps() -> None:
    """After the first samples only at each power of two."""
    watched = Watched()
    seen: list[bool] = []
    for _ in range(20):
        watched.steps(
            1,
            lambda: watched.optimizer.zero_grad(set_to_none=False),
            lambda: seen.append(watched.hooks() > 0),
        )
    assert [number for number, hooked in enumerate(seen) if hooked] == [1, 2, 4, 8, 16]
    watched.steps(1, sampled=False)
    assert watched.hooks() == 0
    watched.steps(12)
    watched.watch.remove()
    assert watched.hooks() == 0


def test_a_loop_that_drops_its_gradients_is_never_hooked() -> None:
    """PyTorch keeps what called a hook, and asks it in every later backward."""
    gc.collect()  # what other tests have left standing
    before = torch.autograd._engine_run_backward
    watched = Watched()
    watched.steps(9, watched.optimizer.zero_grad)
    for parameter in watched.model.parameters():
        assert parameter._backward_hooks is None
        assert parameter._post_accumulate_grad_hooks is None
    watched.watch.remove()
    assert torch.autograd._engine_run_backward is before


def in_a_thread(loss: Tensor) -> None:
    thread = threading.Thread(target=loss.backward)
    thread.start()
    thread.join()


def by_the_engine(loss: Tensor) -> None:
    engine = torch.autograd.Variable._execution_engine
    engine.run_backward((loss,), (torch.ones(()),), False, False, (), True, True)


@pytest.mark.parametrize("backward", [in_a_thread, by_the_engine])
def test_gradients_that_stay_are_told_where_their_backward_is_not_seen(
    backward: Callable[[Tensor], None],
) -> None:
    """Made by another thread, in which nothing is looked at, or by C++: as soon as any."""
    watched = Watched()
    steps = lambda count: watched.steps(  # noqa: E731
        count, lambda: backward(watched.model(torch.ones(1, 2)).sum()), backwards=0
    )
    assert steps(2) == []
    (alert,) = steps(1)
    assert alert.since_step == 2


def test_gradients_are_told_where_backwards_are_seen_no_longer() -> None:
    """From the look on that has found none."""
    watched = Watched()
    watched.steps(1)
    assert (
        len(
            watched.steps(
                7, lambda: by_the_engine(watched.model(torch.ones(1, 2)).sum()), backwards=0
            )
        )
        == 1
    )


def test_gradients_that_are_put_aside_for_another_backward_are_not_dropped() -> None:
    """They are there again as their own begins."""
    watched = Watched()
    other = nn.Linear(2, 2)

    def between() -> None:
        aside = [parameter.grad for parameter in watched.model.parameters()]
        watched.model.zero_grad()
        other(torch.ones(1, 2)).sum().backward()
        for parameter, grad in zip(watched.model.parameters(), aside, strict=True):
            parameter.grad = grad

    assert len(watched.steps(3, between)) == 1


def test_a_backward_of_another_network_decides_nothing() -> None:
    """As a generator's, during which the script switches the discriminator off."""
    watched = Watched()
    other = nn.Linear(2, 2)

    def between() -> None:
        watched.model.requires_grad_(False)
        other(torch.ones(1, 2)).sum().backward()
        watched.model.requires_grad_(True)

    assert len(watched.steps(3, between)) == 1


@pytest.mark.parametrize("back", [True, False])
@pytest.mark.parametrize("off", [0, 1])
def test_one_that_is_switched_off_meanwhile_is_no_fault(off: int, back: bool) -> None:
    """It cannot be given a hook, until it is switched on again."""
    watched = Watched()
    parameters = list(watched.model.parameters())
    other = nn.Linear(2, 2)

    def between() -> None:
        parameters[off].requires_grad_(False)
        other(torch.ones(1, 2)).sum().backward()
        parameters[off].requires_grad_(back)

    (alert,) = watched.steps(4, between)
    assert alert.parameter is None
    assert watched.guard.faults == 0
    (kept,) = watched.watch._kept.values()
    assert len(kept.indexes) == 1 + back


def test_what_the_script_drops_is_freed_at_once() -> None:
    """A gradient is held by the script alone: its memory is wanted by the next forward."""
    watched = Watched()
    watched.steps(1)
    assert watched.watch.watched
    grads = [weakref.ref(p.grad) for p in watched.model.parameters()]  # type: ignore[arg-type]
    assert None not in [grad() for grad in grads]
    watched.optimizer.zero_grad()
    assert [grad() for grad in grads] == [None, None]


def test_a_look_that_fails_fails_no_backward(monkeypatch: pytest.MonkeyPatch) -> None:
    """As at memory that a CUDA graph has used again since."""

    def fail(_: Tensor) -> None:
        raise RuntimeError("overwritten")

    monkeypatch.delenv("GRADGATE_STRICT", raising=False)
    watched = Watched()
    watched.steps(1)
    with monkeypatch.context() as patch:
        patch.setattr(Tensor, "any", fail)
        watched.steps(1)
    assert watched.guard.faults == 2
