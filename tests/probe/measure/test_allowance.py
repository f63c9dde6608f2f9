"""A share of the time."""

from __future__ import annotations

from gradgate.probe.measure.allowance import FREE, Allowance


class Time:
    """A clock, and something that takes time."""

    def __init__(self) -> None:
        self.now = 0.0

    def allowance(self, share: float) -> Allowance:
        """An allowance by this clock, whose free times are used up."""
        allowance = Allowance(share, lambda: self.now)
        for _ in range(FREE):
            self.spend(allowance, 1.0)
        return allowance

    def spend(self, allowance: Allowance, seconds: float) -> None:
        """Do something that takes so long."""
        began = allowance.now()
        self.now += seconds
        allowance.pay(began)


def test_the_first_times_cost_nothing() -> None:
    """They warm caches up, and say nothing of the times that follow."""
    assert Time().allowance(0.1).covers()


def test_what_was_taken_has_to_be_paid_before_it_is_done_again() -> None:
    """By the share of the time that passes, which what was taken is part of."""
    time = Time()
    allowance = time.allowance(0.25)
    assert allowance.covers()
    time.spend(allowance, 1.0)
    seen = []
    for _ in range(4):
        seen.append(allowance.covers())
        time.now += 1.0
    assert seen == [False, False, False, True]


def test_time_without_use_is_not_saved_up() -> None:
    """After a long pause it costs what it costs."""
    time = Time()
    allowance = time.allowance(0.5)
    time.now = 1000.0
    assert allowance.covers()
    time.spend(allowance, 4.0)
    time.now += 1.0
    assert not allowance.covers()


def test_where_less_room_is_left_it_is_paid_for_longer() -> None:
    """A tenth of the share pays for one second as long as the share does for ten."""
    time = Time()
    allowance = Allowance(0.5, lambda: time.now, lambda: 0.1)
    for _ in range(FREE):
        time.spend(allowance, 1.0)
    assert allowance.covers()
    time.spend(allowance, 1.0)
    waited = 0
    while not allowance.covers():
        time.now += 1.0
        waited += 1
    assert waited == 19
