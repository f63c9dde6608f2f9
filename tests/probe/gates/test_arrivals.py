"""The steps in which gradients come to a gate, and those in which none does."""

from __future__ import annotations

from gradgate.probe.gates.arrivals import PATIENCE, Arrivals


def no_reason() -> str:
    raise AssertionError("nobody may ask why")


def test_steps_are_counted_once_and_closed_if_ever_closed() -> None:
    """A step counts once however many gradients come, as closed if it was to one of them."""
    arrivals = Arrivals()
    for closed in (False, True, False):
        arrivals.record(closed=closed)
    assert arrivals.closed_now
    assert arrivals.end_step(no_reason)
    arrivals.record(closed=False)
    assert arrivals.end_step(no_reason)
    assert not arrivals.end_step(no_reason)
    assert (arrivals.steps, arrivals.closed_steps, arrivals.closed_now) == (2, 1, False)


def test_a_gate_that_waits_says_why_every_few_steps() -> None:
    """The reason is asked at every fifth step without a gradient, and goes when one comes."""
    arrivals, asked = Arrivals(), []

    def why() -> str:
        asked.append(1)
        return "it is asleep."

    for step in range(1, 2 * PATIENCE + 1):
        arrivals.end_step(why)
        assert len(asked) == step // PATIENCE
    assert arrivals.problem == "no gradient has come here for 10 steps: it is asleep."
    arrivals.record(closed=False)
    arrivals.end_step(no_reason)
    assert arrivals.problem is None
    for _ in range(3):
        for _ in range(PATIENCE - 1):
            arrivals.end_step(no_reason)
        arrivals.record(closed=False)
        arrivals.end_step(no_reason)
    assert arrivals.problem is None


def test_a_bypass_stays_as_long_as_it_lasts() -> None:
    """A gradient that goes past the gate is a problem until a step in which none does."""
    arrivals = Arrivals()
    for _ in range(2):
        arrivals.record_bypass("past it")
        arrivals.record(closed=True)
        arrivals.end_step(no_reason)
        assert arrivals.problem == "past it"
    arrivals.record(closed=True)
    arrivals.end_step(no_reason)
    assert arrivals.problem is None


def test_a_gate_that_is_open_before_the_forward_waits_for_a_gradient() -> None:
    """Deciding early is no arrival: without a gradient the step does not count."""
    arrivals = Arrivals()
    arrivals.record(closed=False)
    arrivals.await_gradient()
    assert not arrivals.end_step(no_reason)
    assert arrivals.steps == 0
