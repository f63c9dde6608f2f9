"""What may be asked of a freeze and of a thaw."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gradgate.server.protocol.commands.change import CommandRequest


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "freeze", "mode": "no_grad", "hold_stats": True},
        {"kind": "thaw", "reset_state": True},
        {"kind": "thaw", "mode": "grad", "hold_stats": False},
    ],
)
def test_options_of_its_own_kind(fields: dict[str, Any]) -> None:
    """And those of the other kind as long as they say nothing."""
    assert CommandRequest.model_validate({"target": "a", **fields}).by == "api"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"kind": "thaw", "mode": "no_grad"},
            "`mode` is for a freeze: a thaw undoes every mode, so leave it out",
        ),
        (
            {"kind": "thaw", "hold_stats": True},
            "`hold_stats` is for a freeze: a thaw lets running statistics run, so leave it out",
        ),
        (
            {"kind": "freeze", "reset_state": True},
            "`reset_state` is for a thaw: a freeze keeps the optimizer's state, so leave it out",
        ),
    ],
)
def test_options_of_the_other_kind(fields: dict[str, Any], sentence: str) -> None:
    """The sentence says what the option is for, and why it is not needed here."""
    with pytest.raises(ValidationError) as refused:
        CommandRequest.model_validate({"target": "a", **fields})
    assert refused.value.errors()[0]["msg"] == f"Value error, {sentence}"
