"""Gates: what may be asked for, and how one reads."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from gradgate.server.protocol.fields import Action
from gradgate.server.protocol.gate_actions import ACTIONS
from gradgate.server.protocol.gates import Gate, GateFields, GateRow, action_text, gate_text
from tests.support.probing import gate


def test_every_action_has_its_entry() -> None:
    """By the name that the protocol has for it."""
    assert tuple(ACTIONS) == get_args(Action)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"site": "a"}, "'a' is no site"),
        ({"site": "place:a"}, "'place:a' is no site"),
        ({"site": "param:"}, "'param:' names nothing"),
        ({"site": "site:"}, "'site:' names nothing"),
        ({"action": "scale"}, "a gate that scales wants `factor`, such as 0.5, or -1 to reverse"),
        ({"action": "clip"}, "a gate that clips wants `max_norm`, a number above 0"),
        (
            {"factor": 1.0},
            "`factor` is for a gate that scales, and this one has action block: leave it out",
        ),
        (
            {"action": "scale", "factor": 1.0, "max_norm": 1.0},
            "`max_norm` is for a gate that clips, and this one has action scale: leave it out",
        ),
        ({"action": "clip", "max_norm": 0.0}, "Input should be greater than 0"),
    ],
)
def test_a_gate_that_cannot_be(fields: dict[str, Any], fault: str) -> None:
    """The sentence says what is wrong with it."""
    with pytest.raises(ValidationError) as refused:
        GateFields.model_validate({"site": "output:a", **fields})
    assert fault in refused.value.errors()[0]["msg"]


@pytest.mark.parametrize("site", ["output:", "input:", "output:a", "param:a", "site:a:b"])
def test_sites(site: str) -> None:
    """The whole model has no name of its own."""
    assert GateFields(site=site).site == site


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "block when norm > 10"),
        ({"action": "scale", "factor": -1.0}, "scale by -1 when norm > 10"),
        ({"action": "clip", "max_norm": 2.5, "paused": True}, "clip to 2.5 when norm > 10, paused"),
        ({"hold": 1}, "block when norm > 10, held for 1 step"),
        ({"hold": 5000}, "block when norm > 10, held for 5,000 steps"),
    ],
)
def test_a_gate_in_words(changes: dict[str, Any], words: str) -> None:
    """What it does, when, and for how long."""
    row = GateRow.model_validate({**gate(1, **changes), "parameters": [], "count": 0})
    assert gate_text(row) == words
    assert words.startswith(action_text(row))


def test_a_norm_that_is_not_finite_is_null() -> None:
    """As a number that was not measured."""
    fields = {**gate(1), "norm_in": float("nan"), "norm_out": float("inf")}
    read = Gate.model_validate(fields)
    assert (read.norm_in, read.norm_out) == (None, None)
