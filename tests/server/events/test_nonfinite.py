"""The first NaN or infinity."""

from __future__ import annotations

from gradgate.server.events.watch import Watch
from tests.support.detecting import Sampled, told
from tests.support.probing import NONFINITE, PRESENT

NAN = float("nan")
BROKEN = [NONFINITE, PRESENT, NONFINITE]


def test_parameters_that_turn_nonfinite_are_one_event(sampled: Sampled) -> None:
    """Told when it begins, of those with which it began."""
    assert not sampled([1, 1, 1])
    (found,) = sampled([NAN, 1, NAN], BROKEN)
    assert (found.kind, found.level, found.step) == ("nonfinite", "alert", 2)
    assert found.parameters.tolist() == [0, 2]
    assert not sampled([NAN, 1, NAN], BROKEN)
    (more,) = sampled([NAN, NAN, NAN], [NONFINITE] * 3)
    assert more.parameters.tolist() == [1]


def test_an_overflow_of_loss_scaling_is_a_note(sampled: Sampled) -> None:
    """It skips the step, as it should."""
    (found,) = sampled([NAN, 1, NAN], BROKEN, skipped=True)
    assert (found.level, found.figures) == ("note", {"skipped": True})
    assert "which was skipped" in found.sentence


def test_metrics_that_turn_nonfinite_are_one_event(watch: Watch) -> None:
    """The loss foremost; what a gate measured is not the job's own."""
    frame = {"type": "metrics", "step": 4}
    values = {"accuracy": None, "loss": None, "gate 1 norm": None}
    (found,) = told(watch, {**frame, "values": values})
    assert (found.level, found.figures) == ("alert", {"metrics": ["loss", "accuracy"]})
    assert not told(watch, {**frame, "values": values})
    assert not told(watch, {**frame, "values": {"loss": 1.0, "accuracy": None}})
    (again,) = told(watch, {**frame, "values": {"loss": None, "accuracy": None}})
    assert again.figures == {"metrics": ["loss"]}


def test_between_samples_the_total_norms_tell(watch: Watch, sampled: Sampled) -> None:
    """By their flags; of a step that was sampled the sample has told more."""
    norms = {"type": "totals", "norms": [1.0, None, None, 1.0, 2.0], "flags": [0, 1, 1, 0, 3]}
    found = told(watch, {**norms, "steps": [2, 3, 4, 5, 6]})
    assert [(each.step, each.level) for each in found] == [(3, "alert"), (6, "note")]
    assert len(sampled([NAN], [NONFINITE])) == 1
    assert not told(watch, {"type": "totals", "steps": [1], "norms": [1.0], "flags": [0]})
    assert not told(watch, {"type": "totals", "steps": [1], "norms": [None], "flags": [1]})
