"""What the probe takes of the training thread's time: nested calls once, the one under way too."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gradgate.probe.base import account
from gradgate.probe.base.account import Account
from gradgate.probe.base.guard import Guard


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(account, "perf_counter", lambda: self.now)

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
    both = Account()

    def outer() -> None:
        both.charge(clock.work)
        clock.work()
        both.charge(clock.work)

    both.charge(outer)
    clock.work(10)
    assert (both.take(), both.take()) == (3, 0)
