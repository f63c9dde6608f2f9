"""Names, numbers and previews as a terminal shows them."""

from __future__ import annotations

from typing import Any

import pytest

from gradgate.server.cli.terminal import listed, plain, plural, size
from gradgate.server.cli.texts.previews import preview_lines
from gradgate.server.protocol.effects import Preview
from gradgate.server.protocol.runs import RunRow
from tests.support.probing import preview

RUN = RunRow.model_construct(id="a" * 16, name="digits")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (999_499, "999 kB"),
        (999_999, "1 MB"),
        (210_400_000, "210 MB"),
        (3 * 10**18, "3e+03 PB"),
    ],
)
def test_bytes_have_three_digits(count: int, text: str) -> None:
    """In the unit that leaves at most three digits before the point."""
    assert size(count) == text


def test_names_are_listed_and_counted() -> None:
    """Three names, and the number of the others."""
    assert listed(["a", "b"], 2) == "a, b"
    assert listed(["a", "b", "c", "d"], 1200) == "a, b, c and 1,197 more"
    assert (plural(1, "step"), plural(2000, "step")) == ("1 step", "2,000 steps")


def test_what_would_steer_the_terminal_is_shown() -> None:
    """Escapes, line ends and marks of direction become a visible character; letters stay."""
    assert plain("é\x1b[2J\n\u202ea") == "é\ufffd[2J\ufffd\ufffda"


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
