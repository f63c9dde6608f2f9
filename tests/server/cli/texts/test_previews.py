"""A preview in words."""

from __future__ import annotations

from typing import Any

import pytest

from gradgate.server.cli.texts.previews import preview_lines
from gradgate.server.protocol.effects import Preview
from gradgate.server.protocol.runs import RunRow
from tests.support.probing import preview

RUN = RunRow.model_construct(id="a" * 16, name="digits")


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"already": 1}, ["  parameters          2, 1 of them so already: a.weight, a.bias"]),
        (
            {"kind": "thaw", "reset_state": True},
            ["  gradients           64 B needed", "  optimizer state     128 B dropped"],
        ),
        ({"not_in_optimizer": ["a.bias"]}, ["  in no optimizer     a.bias"]),
        ({"tied": [["a.weight", "b.weight"]]}, ["  tied                a.weight = b.weight"]),
        ({"running_stats": [""]}, ["  statistics go on in the model"]),
        ({"mode": "no_grad", "cut_off": []}, ["  cuts off            nothing"]),
        ({"mode": "no_grad", "cut_off": ["stem.weight"]}, ["  cuts off            stem.weight"]),
        ({"recompiles": True}, ["  recompiles          yes"]),
        ({"warnings": ["It costs.", "Much."]}, ["  ! It costs.", "  ! Much."]),
    ],
)
def test_a_preview_says_what_matters(changes: dict[str, Any], lines: list[str]) -> None:
    """Each fact is a line, and is left out where there is nothing to say."""
    usual = list(preview_lines(Preview.model_validate(preview(warnings=[])), RUN))
    found = list(preview_lines(Preview.model_validate(preview(**{"warnings": [], **changes})), RUN))
    assert [line for line in found if line not in usual][-len(lines) :] == lines
