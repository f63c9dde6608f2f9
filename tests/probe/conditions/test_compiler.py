"""The texts that are conditions, those that are refused, and where a refusal points."""

from __future__ import annotations

import re

import pytest

from gradgate.probe.base.errors import ConditionError, GradgateError
from gradgate.probe.conditions import compiler
from gradgate.probe.conditions.compiler import compile_condition


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("norm > loss.item", 7, "an attribute ('loss.item') is not allowed"),
        ("().__class__", 0, "an attribute"),
        ("norm[0] > 1", 4, "a subscript or a list ('[') is not allowed"),
        ("norm > open(1)", 7, "a call of 'open' is not allowed; functions are abs, exp"),
        ("norm.item() > 1", 0, "a call of 'norm.item' is not allowed"),
        ("abs(1)(2)", 0, "a call of 'abs(1)' is not allowed"),
        ("norm > lambda: 1", 7, "'lambda' is not allowed"),
        ("max(x for x in y)", 6, "'for' is not allowed"),
        ("[x for x in y]", 0, "a list"),
        ("{1: 2}", 0, "a set, a dictionary"),
        ("loss == 'low'", 8, "a string"),
        ('f"{norm}"', 1, "a string"),
        ("loss = 1", 5, "an assignment ('=') is not allowed in a condition; write == to compare"),
        ("(loss := 1)", 6, "':='"),
        ("norm & 1", 5, "a bitwise operator ('&') is not allowed in a condition; write and"),
        ("norm // 2", 5, "'//' is not allowed; write /"),
        ("norm >> 2", 0, "the operation ('norm >> 2') is not allowed"),
        ("norm ! 2", 5, "write != or not"),
        ("loss is None", 5, "'is' is not allowed"),
        ("None", 0, "'None' is not allowed"),
        ("...", 0, "the constant ('...') is not allowed"),
        ("norm > " + "x" * 513, 7, "no metric has a name of more than 512 characters"),
        ("norm, 1", 0, "a tuple ('norm, 1') is not allowed"),
        ("max(*norm)", 4, "an unpacking"),
        ("max(1, **norm)", 0, "a named argument"),
        ("abs > 1", 0, "'abs' is a function; write abs(...)"),
        ("abs(1, 2)", 0, "abs takes one argument, not 2"),
        ("max(norm)", 0, "max takes two arguments or more, not 1"),
        ("norm ** 9", 8, "the exponent '9' is not allowed; an exponent is a number from -8 to 8"),
        ("norm ** -8.5", 8, "the exponent '-8.5' is not allowed"),
        ("norm ** loss", 8, "the exponent 'loss' is not allowed"),
        ("norm ** True", 8, "the exponent 'True' is not allowed"),
        ("9 ** 9 ** 9 ** 9", 5, "the exponent '9 ** 9 ** 9' is not allowed"),
        ("norm > 1e999", 7, "the number 1e999 is too large"),
        ("norm > 0x10", 7, "'0x10' is no number"),
        ("norm > 1_000", 7, "'1_000' is no number"),
        ("norm > 007", 7, "'007' is no number"),
        ("1or norm", 0, "'1or' is no number"),
        ("norm > 2j", 7, "'2j' is no number"),
        ("norm\n> 2", 4, "a condition is one line"),
        ("norm\0", 4, "'\\x00' is not allowed"),
        ("loß > 2", 2, "'ß' is not allowed; a condition is written in plain ASCII"),
        ("ｎorm > 2", 0, "plain ASCII"),
        ("norm > 2 # high", 9, "'#' is not allowed"),
        ("", 0, "the condition is empty"),
        ("   ", 0, "the condition is empty"),
        ("  norm >", 8, "cannot be read at its end"),
        ("norm > > 2", 7, "cannot be read at '> 2'"),
        ("  norm 2", 7, "cannot be read at '2'"),
        ("(norm > 2", 0, "this '(' is never closed"),
        ("norm > 2)", 8, "this ')' closes nothing"),
        ("1 / 0", 0, "division by zero in '1 / 0'"),
        ("norm > 1 and (", 13, "never closed"),
    ],
)
def test_refusals_point_at_the_place(text: str, column: int, said: str) -> None:
    """What the language has not is refused when compiled, with the column and what was found."""
    with pytest.raises(ConditionError, match=re.escape(said)) as info:
        compile_condition(text)
    assert info.value.column == column
    assert "\n" not in info.value.message


def test_the_error_draws_a_caret() -> None:
    """The text of an error shows the condition and a caret; its message is one sentence."""
    with pytest.raises(ConditionError) as info:
        compile_condition("norm > 3 and open(1)")
    sentence, text, caret = str(info.value).split("\n")
    assert sentence == info.value.message
    assert text[caret.index("^") :] == "open(1)"
    assert isinstance(info.value, GradgateError)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("9" * 100_000, "has 100,000 characters; at most 1,000"),
        ("9" * 1_000, "is too large"),
        ("(" * 33 + "1" + ")" * 33, "nested too deep; at most 32"),
        ("(" * 500 + ")" * 500, "nested too deep"),
        ("not " * 32 + "1", "nested too deep"),
        ("-" * 999 + "1", "nested too deep"),
        ("1 if a else " * 32 + "1", "nested too deep"),
        ("+".join("a" * 101), "more than 200 parts"),
        ("<".join("a" * 200), "more than 200 parts"),
        ("max(" + ",".join("a" * 200) + ")", "more than 200 parts"),
    ],
)
def test_size_is_bounded(text: str, said: str) -> None:
    """Length, depth and number of parts have limits, each with its own sentence."""
    with pytest.raises(ConditionError, match=said):
        compile_condition(text)


@pytest.mark.parametrize(
    "text",
    ["(" * 31 + "a" + ")" * 31, "not " * 31 + "a", "+".join("a" * 100), "<".join("a" * 199)],
)
def test_what_is_just_within_bounds_compiles(text: str) -> None:
    """The limits are those that the messages state; a long sum is no deep one."""
    assert compile_condition(text).evaluate({"a": 1.0}) in (True, False)


@pytest.mark.parametrize("given", [True, 3, None, b"norm"])
def test_only_text_is_a_condition(given: object) -> None:
    """Something else than a text is refused with its type."""
    with pytest.raises(ConditionError, match=f"not .*{type(given).__name__}"):
        compile_condition(given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "loss.real",
        "loss[0]",
        "open(1)",
        "lambda: 1",
        "[x for x in y]",
        "(x for x in y)",
        "{1}",
        "'text'",
        "b'text'",
        "f'{loss}'",
        "None",
        "2j",
        "loss := 1",
        "(loss := 1)",
        "loss is 1",
        "loss in y",
        "~step",
        "step | 1",
        "step @ 1",
        "step // 1",
        "await y",
        "*y, 1",
        "y,",
        "abs(*y)",
        "abs(x=1)",
        "(yield)",
    ],
)
def test_the_tree_is_safe_without_the_scan(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The allow-list of node kinds alone keeps out what the scan of the text keeps out too."""
    monkeypatch.setattr(compiler, "scan", lambda text: None)
    with pytest.raises(ConditionError):
        compile_condition(text)


@pytest.mark.parametrize(
    ("text", "names", "needs_norm", "known_in_forward", "is_constant"),
    [
        ("True", set(), False, True, True),
        ("1 + 1 == max(2, 1)", set(), False, True, True),
        ("step % 2 or closed", {"step", "closed"}, False, True, False),
        ("step > 3 and loss < 2", {"step", "loss"}, False, False, False),
        ("norm > 3", {"norm"}, True, False, False),
        ("norm_avg > 3 or closed", {"norm_avg", "closed"}, True, False, False),
        ("norm_ > 3", {"norm_"}, False, False, False),
    ],
)
def test_says_what_it_needs(
    text: str, names: set[str], needs_norm: bool, known_in_forward: bool, is_constant: bool
) -> None:
    """The names used tell what must be known, when, and whether the norm must be measured."""
    condition = compile_condition(text)
    assert condition.text == text
    assert condition.names == names
    assert condition.needs_norm is needs_norm
    assert condition.known_in_forward is known_in_forward
    assert condition.is_constant is is_constant


def test_columns_are_those_of_the_text_as_it_was_written() -> None:
    """Leading spaces count, also for what the tree of a text refuses."""
    with pytest.raises(ConditionError, match="an attribute") as info:
        compile_condition("   norm > loss.item")
    assert info.value.column == 10
