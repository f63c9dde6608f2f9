"""Spikes: of a parameter's norm, of the total, and of a loss."""

from __future__ import annotations

import numpy as np
import pytest

from gradgate.server.events.watch import Watch
from tests.support.detecting import Sampled, told

USUAL = [1.0, 4.0, 0.01]


def test_a_spike_of_one_step_is_one_event(sampled: Sampled) -> None:
    """Of those parameters that rose, the furthest first, with the figures that made it one."""
    for _ in range(20):
        assert not sampled(USUAL)
    (found,) = sampled([1.0, 400.0, 10.0])
    assert (found.kind, found.level, found.step) == ("spike", "alert", 21)
    assert found.parameters.tolist() == [2, 1]
    assert "rose, that of the first to 10" in found.sentence, "the other is at 400"
    largest = found.figures["largest"]
    assert (largest["factor"], round(largest["value"])) == (30, 10)
    assert largest["ratio"] == pytest.approx(1000, rel=0.2)
    assert found.figures["total"]["ratio"] == pytest.approx(97, rel=0.01)
    assert not sampled(USUAL)


def test_a_lasting_rise_is_told_once(sampled: Sampled) -> None:
    """Until the running median has come up to it, and then another is told again."""
    for _ in range(20):
        sampled(USUAL)
    rises = [bool(sampled([100.0, 4.0, 0.01])) for _ in range(100)]
    assert rises == [True] + [False] * 99
    assert sampled([10000.0, 4.0, 0.01])


def test_a_parameter_that_spikes_again_at_once_is_not_told_again(sampled: Sampled) -> None:
    """For the pause of so many samples."""
    for _ in range(20):
        sampled(USUAL)
    spikes = [bool(sampled([1.0, 4.0, 0.01 * factor])) for factor in (100, 1, 100, 1, 100, 1)]
    assert spikes == [True, False, False, False, True, False]


def test_a_spike_is_over_below_half_of_what_begins_one(sampled: Sampled) -> None:
    """A norm that comes back to the limit before is in the same spike."""
    for _ in range(20):
        sampled(USUAL)
    norms = (35.0, 25.0, 25.0, 25.0, 25.0, 40.0)
    assert [bool(sampled([norm, 4.0, 0.01])) for norm in norms] == [True] + [False] * 5


def test_nothing_is_a_spike_before_it_is_known_what_is_usual(sampled: Sampled) -> None:
    """The norms of the first steps are often far from those that follow."""
    for value in np.geomspace(1e-6, 1, 16).tolist():
        assert not sampled([value, 1.0])


def test_a_skipped_step_is_no_spike(sampled: Sampled) -> None:
    """Its gradients are scaled, and nobody applies them; nor do they count as usual."""
    for _ in range(20):
        sampled(USUAL)
    for _ in range(100):
        assert not sampled([1000.0, 4000.0, 10.0], skipped=True)
    assert sampled([1000.0, 4.0, 0.01])


def test_a_spike_between_samples_is_found_in_the_total_norms(watch: Watch) -> None:
    """Each step that was told of is looked at."""
    steps = list(range(1, 101))
    norms: list[float | None] = [1.0] * 100
    norms[59] = 12.0
    found = told(watch, {"type": "totals", "steps": steps, "norms": norms, "flags": [0] * 100})
    assert [(each.kind, each.step) for each in found] == [("spike", 60)]
    assert found[0].figures["total"] == {"value": 12, "median": 1, "ratio": 12, "factor": 10}


def test_the_total_norm_of_a_skipped_step_is_no_spike(watch: Watch) -> None:
    """Loss scaling found that it overflows, and nobody applies it."""
    frame = {"type": "totals", "steps": list(range(1, 22)), "norms": [1.0] * 20 + [50.0]}
    assert not told(watch, {**frame, "flags": [0] * 20 + [2]})


def test_total_norms_before_and_after_clipping_are_not_compared(watch: Watch) -> None:
    """A script that clips tells larger norms, and that is no spike."""
    frame = {"type": "totals", "steps": list(range(1, 41)), "norms": [1.0] * 20 + [50.0] * 20}
    assert not told(watch, {**frame, "flags": [0] * 20 + [4] * 20})
    again = {"type": "totals", "steps": [41, 42], "norms": [600.0, 1.0], "flags": [4, 0]}
    (found,) = told(watch, again)
    assert found.figures["before_clipping"]
    assert "before it was clipped" in found.sentence


def test_a_spike_of_a_sampled_step_is_told_once(watch: Watch, sampled: Sampled) -> None:
    """With its parameters, though its total norm is told too."""
    for step in range(1, 21):
        sampled(USUAL)
        told(watch, {"type": "totals", "steps": [step], "norms": [4.1], "flags": [0]})
    assert len(sampled([1.0, 4000.0, 0.01])) == 1
    assert not told(watch, {"type": "totals", "steps": [21], "norms": [4000.0], "flags": [0]})


@pytest.mark.parametrize(("metric", "count"), [("train/Loss", 1), ("learning_rate", 0)])
def test_a_loss_that_rises_is_a_spike(watch: Watch, metric: str, count: int) -> None:
    """A metric is a loss by its name; what else is logged may jump."""
    for step in range(20):
        assert not told(watch, {"type": "metrics", "step": step, "values": {metric: 0.5}})
    found = told(watch, {"type": "metrics", "step": 20, "values": {metric: 50.0}})
    assert [each.sentence for each in found] == [
        f"{metric} rose to 50, 100 times its running median of 0.5, at step 20."
    ] * count


def test_a_negative_loss_has_no_spikes(watch: Watch) -> None:
    """A factor of what is below zero says nothing."""
    for step in range(20):
        told(watch, {"type": "metrics", "step": step, "values": {"loss": -0.5}})
    assert not told(watch, {"type": "metrics", "step": 20, "values": {"loss": 50.0}})
