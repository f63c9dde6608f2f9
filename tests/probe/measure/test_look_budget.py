"""What looks at weights may cost together."""

from __future__ import annotations

from gradgate.probe.measure.look_budget import LookBudget


class Clock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def look(budget: LookBudget, *parts: float) -> None:
    """Make a look of parts that take so many seconds."""
    for seconds in parts:
        budget.take(seconds)
    budget.end_look()


def after_the_start(budget: LookBudget) -> LookBudget:
    """Let the occasions pass at which a look comes whatever it costs; the next is the 9th."""
    for _ in range(8):
        budget.affords()
    return budget


def test_looks_are_held_to_their_share_of_the_time() -> None:
    """One waits until all that was taken is paid for."""
    clock = Clock()
    budget = after_the_start(LookBudget(0.01, clock))
    assert budget.affords()
    look(budget, 0.001, 0.002)
    clock.now += 0.9 * 0.003 / 0.01
    assert not budget.affords()
    clock.now += 0.2 * 0.003 / 0.01
    assert budget.affords()


def test_the_first_looks_come_whatever_they_cost() -> None:
    """More and more seldom, so that a long run does not notice."""
    budget = LookBudget(0.01, Clock())
    made = []
    for occasion in range(1, 101):
        if budget.affords():
            made.append(occasion)
            look(budget, 1000.0)
    assert made == [1, 2, 3, 4, 8, 16, 32, 64]


def test_time_without_a_look_is_not_saved_up() -> None:
    """After an hour of nothing a dear look is as dear as any."""
    clock = Clock()
    budget = after_the_start(LookBudget(0.01, clock))
    clock.now += 3600
    assert budget.affords()
    look(budget, 0.003)
    assert not budget.affords()


def test_a_block_is_timed_by_the_work_of_its_own_thread() -> None:
    """Work makes the next look wait."""
    budget = after_the_start(LookBudget(1e-9))
    with budget.timed():
        sum(range(10_000))
    budget.end_look()
    assert not budget.affords()
