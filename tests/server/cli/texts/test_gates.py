"""A trial in words."""

from __future__ import annotations

from typing import Any

import pytest

from gradgate.server.cli.texts.gates import fault_lines, trial_lines
from gradgate.server.protocol.trials import ConditionFault, Trial
from tests.support.probing import trial


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (
            {"notes": []},
            [
                "Would have been closed in 2 of the last 4 samples.",
                "  at steps (latest first): 4, 2",
            ],
        ),
        (
            {"closed": [], "samples": 1, "notes": []},
            ["Would have been closed in 0 of the last 1 sample."],
        ),
        (
            {"closed": None, "notes": ["A note."]},
            ["There is no history to try 'norm > 1' on.", "  ! A note."],
        ),
        (
            {"samples": 0, "missing": ["loss"], "notes": []},
            ["There is no history to try 'norm > 1' on.", "  no history of: loss"],
        ),
    ],
)
def test_how_a_gate_would_have_fared(changes: dict[str, Any], lines: list[str]) -> None:
    """How often, at which steps, and what is not known."""
    assert list(trial_lines(Trial.model_validate(trial(**changes)), "norm > 1")) == lines


def test_only_the_latest_steps_are_listed() -> None:
    """And how many there are besides."""
    told = Trial.model_validate(trial(closed=list(range(1, 31)), samples=40, notes=[]))
    assert list(trial_lines(told, "norm > 1"))[1].endswith(
        "30, 29, 28, 27, 26, 25, 24, 23, 22, 21 and 20 more"
    )


@pytest.mark.parametrize(
    ("column", "lines"), [(0, ["  nrm", "  ^"]), (3, ["  nrm", "     ^"]), (4, []), (None, [])]
)
def test_the_place_of_a_fault_is_marked(column: int | None, lines: list[str]) -> None:
    """Where it has one, its end included."""
    assert list(fault_lines(ConditionFault(message="m", column=column), "nrm")) == lines
