"""Thresholds as a person gives them, and as they are documented."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from gradgate.server.events.registry import DETECTORS
from gradgate.server.events.thresholds import BadThreshold, Thresholds, thresholds_from

GUIDE = (Path(__file__).parents[3] / "docs" / "events.md").read_text("utf-8")


def test_thresholds_are_read() -> None:
    """Those that are not given stay as they are."""
    assert thresholds_from([]) == Thresholds()
    assert thresholds_from(["spike=4", "dead_after = 7"]) == Thresholds(spike=4, dead_after=7)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("spikes=4", "'spikes' is no threshold: give one of spike, parameter_spike, vanished,"),
        ("spike", "spike= is none: give a number above 1, as `spike=10.0`"),
        ("spike=1", "above 1"),
        ("vanished=nan", "give a number above 0, as `vanished=0.0001`"),
        ("dead_after=2.5", "give a whole number above 0, as `dead_after=50`"),
    ],
)
def test_what_is_no_threshold_is_refused(given: str, told: str) -> None:
    """With a sentence that says what is one."""
    with pytest.raises(BadThreshold, match=told):
        thresholds_from([given])


def test_every_kind_and_threshold_is_documented() -> None:
    """In docs/events.md, with the value that it has unless another is given."""
    for kind in DETECTORS:
        assert f"| `{kind}` |" in GUIDE
    for field in fields(Thresholds):
        assert f"| `{field.name}` | {field.default:g} |" in GUIDE
