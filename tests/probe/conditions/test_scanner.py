"""What the scan keeps from Python's parser."""

from __future__ import annotations

import re

import pytest

from gradgate.probe.base.errors import ConditionError
from gradgate.probe.conditions.scanner import MAX_DEPTH, MAX_LENGTH, scan


@pytest.mark.parametrize(
    "text",
    [
        "norm > 10",
        "1.5e-3 <= x_1 % 2. < .5",
        "(" * MAX_DEPTH + ")" * MAX_DEPTH,
        "(1)" * 100,
        "a" * MAX_LENGTH,
        "1e308 if not (a and b or c) else True ** False",
        "a.b",  # the tree refuses it
    ],
)
def test_what_is_worth_parsing(text: str) -> None:
    """Numbers, names, operators and parentheses pass, up to the limits themselves."""
    scan(text)


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("a" * (MAX_LENGTH + 1), MAX_LENGTH, "has 1,001 characters; at most 1,000"),
        ("(" * (MAX_DEPTH + 1), MAX_DEPTH, "nested too deep; at most 32 levels"),
        ("1e309", 0, "the number 1e309 is too large"),
        ("a is b", 2, "'is' is not allowed"),
        ("lambda", 0, "'lambda' is not allowed"),
        ("(a))", 3, "this ')' closes nothing"),
        ("a + (b", 4, "this '(' is never closed"),
        ("0x1", 0, "'0x1' is no number"),
        ("a\tb", 1, "write a space"),
        (" ", 0, "the condition is empty"),
    ],
)
def test_what_is_not(text: str, column: int, said: str) -> None:
    """Everything else is refused before it is parsed, at its place."""
    with pytest.raises(ConditionError, match=re.escape(said)) as info:
        scan(text)
    assert info.value.column == column
