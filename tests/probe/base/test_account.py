"""What the probe takes of the training thread's time: nested calls once, the one under way too."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count

import pytest

from gradgate.probe.base import account
from gradgate.probe.base import guard as guard_module
from gradgate.probe.base.guard import Guard, stood_around


def run_by(monkeypatch: pytest.MonkeyPatch, clock: Callable[[], float]) -> None:
    for module in (account, guard_module):
        monkeypatch.setattr(module, "perf_counter", clock)


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        run_by(monkeypatch, lambda: self.now)

    def work(self, seconds: float = 1) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_the_time_of_all_hooks_is_counted_once(clock: Clock) -> None:
    """Of the one under way up to the moment at which it is asked; what is between them is not."""
    guard = Guard()
    taken: list[float] = []

    def last() -> None:
        clock.work()
        taken.append(guard.account.take())
        clock.work()

    def nest() -> None:
        guard.run(clock.work)
        clock.work()

    bodies: list[Callable[[], None]] = [clock.work, nest, last]
    for body in bodies:
        clock.work(10)
        guard.run(body)
    clock.work(10)
    guard.run(lambda: taken.append(guard.account.take()))
    assert taken == [4.0, 1.0]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_hook_that_raises_is_counted_to_its_end(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """Else the account would take all that follows for the probe's."""
    monkeypatch.delenv("GRADGATE_STRICT")
    guard = Guard()

    def fail() -> None:
        clock.work()
        raise error

    if issubclass(error, Exception):
        assert guard.run(fail) is None
    else:
        with pytest.raises(error):
            guard.run(fail)
    clock.work(10)
    assert guard.account.take() == 1


def test_only_who_started_the_clock_stops_it(clock: Clock) -> None:
    """Another thread's hook within ends before that, and its end is not the outer one's."""
    both = Guard()

    def outer() -> None:
        both.run(clock.work)
        clock.work()
        both.run(clock.work)

    both.run(outer)
    clock.work(10)
    assert (both.account.take(), both.account.take()) == (3, 0)


def test_two_threads_that_begin_at_once_are_counted_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """And neither fails, whichever of them is over first."""
    other_began, first_ended = threading.Event(), threading.Event()
    calls = count()

    def clock() -> float:
        call = next(calls)
        if call == 0:  # the first has seen that no clock runs, and has not started it yet
            other.start()
            assert other_began.wait(20)
        return float(call)

    def work() -> str:
        other_began.set()
        assert first_ended.wait(20)
        return "done"

    run_by(monkeypatch, clock)
    both, made = Guard(), list[str]()
    other = threading.Thread(target=lambda: made.append(both.run(work)))
    assert both.run(lambda: "first") == "first"
    first_ended.set()
    other.join(20)
    assert made == ["done"]
    assert both.account.take() == 2


@pytest.mark.parametrize("raises", [False, True])
def test_what_stands_around_a_call_is_counted_without_it(clock: Clock, *, raises: bool) -> None:
    """Before the script's call and after it; hooks inside of it count by themselves."""
    guard = Guard()

    def zero_grad() -> None:
        clock.work(10)
        guard.run(clock.work, 100)
        if raises:
            raise LookupError

    def around(call: Callable[[], None]) -> None:
        clock.work(1)
        try:
            call()
        finally:
            clock.work(2)

    for _ in range(2):
        with suppress(LookupError):
            stood_around(guard, zero_grad, around)()
        clock.work(10)
    assert guard.account.take() == 2 * 103.0
    assert guard.account.began is None


def test_what_the_probe_itself_calls_through_its_own_is_counted_as_a_whole(clock: Clock) -> None:
    """A function of torch's, say, around which something of the probe's stands."""
    guard = Guard()
    around = stood_around(guard, clock.work, lambda call: call(5))
    guard.run(around)
    assert guard.account.take() == 5.0


def test_the_second_chance_of_a_call_is_counted_as_the_first(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the call itself is not, when nobody stands around it any more."""
    monkeypatch.delenv("GRADGATE_STRICT", raising=False)
    guard = Guard()

    def around(call: Callable[[], None]) -> None:
        clock.work(1)
        raise MemoryError

    stood_around(guard, lambda: clock.work(10), around)()
    assert guard.account.take() == 2.0
