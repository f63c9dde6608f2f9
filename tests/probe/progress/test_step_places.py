"""The lines that call the optimizers' steps."""

from __future__ import annotations

from pathlib import Path

from gradgate.probe.progress.step_places import StepPlaces


def test_the_first_call_of_each_is_remembered() -> None:
    """Of another optimizer there is none."""
    places = StepPlaces()
    places.look(1)  # the first
    places.look(1)
    place = places.of(1)
    assert place is not None
    lines = Path(__file__).read_text("utf-8").splitlines()
    assert lines[place.line - 1].endswith("# the first")
    assert places.of(0) is None
