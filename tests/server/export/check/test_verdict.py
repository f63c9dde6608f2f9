"""What came of a check: a sentence, and an exit code."""

from __future__ import annotations

from typing import Any

import pytest

from gradgate.server.export.check.verdict import CheckExit, exit_of, verdict
from tests.support.checking import finding, report


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({}, CheckExit.WELL, "Nothing wrong found."),
        ({"steps": 2}, CheckExit.WELL, "Nothing wrong found, in 2 steps: too few to tell."),
        ({"findings": [finding()]}, CheckExit.FOUND, "1 finding; `gradgate cause ID`"),
        (
            {"findings": [finding(), finding("style.bias")]},
            CheckExit.FOUND,
            "1 finding;",
        ),
        ({"findings": [finding(level="note")]}, CheckExit.WELL, "Nothing wrong found."),
        ({"findings": [finding(accepted=True)]}, CheckExit.WELL, "accepts 1 finding more."),
        (
            {"outcome": "raised", "error": "ValueError: no", "steps": 1},
            CheckExit.FAILED,
            "The script raised after 1 step: ValueError: no",
        ),
        (
            {"outcome": "exited", "script_exit_code": 4, "findings": [finding()]},
            CheckExit.FAILED,
            "with exit code 4.",
        ),
        (
            {"outcome": "exited", "script_exit_code": 1, "error": "no data"},
            CheckExit.FAILED,
            "with exit code 1: no data",
        ),
        ({"steps": 0}, CheckExit.NO_STEP, "The script ended without a step"),
        ({"steps": 0, "never_steps": True}, CheckExit.NO_STEP, "or give more `--steps`"),
        (
            {"steps": 0, "timed_out": True, "lack": "no model was"},
            CheckExit.TIMED_OUT,
            "for 600 seconds: give a higher `--limit` where it only takes longer. Nothing was",
        ),
        ({"steps": 0, "lack": "no model was"}, CheckExit.NO_MODEL, "found to check: no model was."),
        ({"steps": 0, "problem": "It is scripted."}, CheckExit.NO_MODEL, "checked: It is scripted"),
        ({"problem": "'x' matches nothing", "misused": True}, CheckExit.MISUSED, "matches nothing"),
    ],
)
def test_each_ending_has_a_sentence_and_a_code(
    changed: dict[str, Any], code: CheckExit, words: str
) -> None:
    """What the script did comes before what was found in it."""
    made = report(*changed.pop("findings", []), **changed)
    assert exit_of(made) is code
    assert words in verdict(made)
