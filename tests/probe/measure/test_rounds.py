"""Which optimizers take part in a step of the run."""

from __future__ import annotations

from gradgate.probe.measure.rounds import LONGEST_WAIT, Rounds

HELD = [{0, 1}, {1, 2}, {3}]


def test_what_no_optimizer_of_the_step_holds_waits() -> None:
    """Not what another one holds too that took part."""
    rounds = Rounds(3, HELD.__getitem__)
    rounds.stepped(0, 1)
    assert rounds.waiting(1) == {2, 3}
    for k in range(3):
        rounds.stepped(k, 2)
    assert rounds.waiting(2) == frozenset()


def test_a_step_that_none_of_them_made_says_nothing() -> None:
    """Gradients may be applied otherwise."""
    assert Rounds(3, HELD.__getitem__).waiting(1) == frozenset()


def test_an_optimizer_that_does_not_step_for_long_is_waited_for_no_more() -> None:
    """Then nobody may have called its step."""
    rounds = Rounds(2, HELD.__getitem__)
    rounds.stepped(1, 1)
    for step, waits in ((LONGEST_WAIT, {2}), (LONGEST_WAIT + 1, set())):
        rounds.stepped(0, step)
        assert rounds.waiting(step) == waits
