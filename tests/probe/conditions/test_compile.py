"""The language of gates' conditions: what it computes, what it refuses, and where it points."""

from __future__ import annotations

import ast
import math
import random
import re

import pytest

from gradgate.probe.base.errors import ConditionError, GradgateError
from gradgate.probe.conditions import compile as conditions
from gradgate.probe.conditions.compile import compile_condition, metric_name

VALUES = {"step": 120.0, "norm": 12.0, "norm_avg": 4.0, "closed": False, "loss": 0.5}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("True", True),
        ("False", False),
        ("  norm > 10  ", True),
        ("norm > (5 if closed else 20)", False),
        ("norm > 3 * norm_avg - 1", True),
        ("100 <= step < 200", True),
        ("100 <= step < 120", False),
        ("loss", True),
        ("loss - 0.5", False),
        ("not loss", False),
        ("step % 50 == 20 and loss != 0", True),
        ("-loss ** 2 == -0.25", True),
        ("norm ** -1 < .1", True),
        ("max(norm, loss, step) == 1.2e2", True),
        ("min(norm, 1) + abs(-3) == 4", True),
        ("sqrt(norm * 3) == 6 and log(exp(2)) == 2", True),
        ("isfinite(loss) and not isnan(loss)", True),
        ("True + True == 2", True),
        ("False and missing", False),
        ("True or missing", True),
        ("0 > 1 > missing", False),
        ("1 if norm else missing", True),
        ("(closed or 3) == 3", True),
    ],
)
def test_decides_as_python_would(text: str, expected: bool) -> None:
    """Arithmetic, logic, chains, choices and functions mean what they mean in Python."""
    assert compile_condition(text).evaluate(VALUES) is expected


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
    monkeypatch.setattr(conditions, "scan", lambda text: None)
    with pytest.raises(ConditionError):
        compile_condition(text)


@pytest.mark.parametrize(
    ("text", "values", "said"),
    [
        ("los > 3", {"step": 1, "loss": 2.0}, "no metric named 'los' was logged yet; known: loss,"),
        ("los > 3", {}, "no metric named 'los' was logged yet; no name is known yet"),
        ("z", {f"m{i:02}": 0.0 for i in range(25)}, "m18, m19 and 5 more"),
        ("step / loss > 1", {"step": 1, "loss": 0.0}, "division by zero in 'step / loss'"),
        ("step % loss > 1", {"step": 1, "loss": 0.0}, "division by zero in 'step % loss'"),
        ("1 + loss * 10", {"loss": 1e308}, r"overflow in 'loss \* 10'"),
        ("loss + loss", {"loss": 1e308}, "overflow"),
        ("loss ** 8 > 1", {"loss": 1e50}, r"overflow in 'loss \*\* 8'"),
        ("exp(loss)", {"loss": 1e4}, r"overflow in 'exp\(loss\)'"),
        ("loss", {"loss": 10**400}, "overflow: the value of 'loss'"),
        ("log(loss)", {"loss": 0.0}, "log of 0 is not defined"),
        ("sqrt(loss)", {"loss": -1.0}, "sqrt of -1 is not defined"),
        ("loss ** 0.5", {"loss": -8.0}, "-8 to the power of 0.5 is not defined"),
        ("loss ** -1", {"loss": 0.0}, "0 to the power of -1 is not defined"),
        ("loss", {"loss": math.nan}, "'loss' is NaN, which is neither true nor false"),
        ("loss - loss", {"loss": math.inf}, "'loss - loss' is NaN"),
        ("min(1, loss)", {"loss": math.nan}, "NaN"),
        ("not loss", {"loss": math.nan}, "NaN"),
        ("loss and True", {"loss": math.nan}, "NaN"),
        ("1 if loss else 2", {"loss": math.nan}, "NaN"),
    ],
)
def test_run_time_problems_are_sentences(text: str, values: dict[str, float], said: str) -> None:
    """What cannot be decided now raises one sentence that names the cause."""
    condition = compile_condition(text)
    with pytest.raises(ConditionError, match=said) as info:
        condition.evaluate(values)
    assert str(info.value) == info.value.message
    assert "\n" not in str(info.value)
    assert info.value.column is not None


def test_a_problem_points_at_its_part() -> None:
    """The column of a problem at run time is that of the part, leading spaces counted."""
    condition = compile_condition("  step > 0 and 1 / loss > 3")
    with pytest.raises(ConditionError, match="division") as info:
        condition.evaluate({"step": 1, "loss": 0})
    assert info.value.column == 15


@pytest.mark.parametrize(
    ("text", "loss", "expected"),
    [
        ("loss > 1", math.nan, False),
        ("not loss < 1", math.nan, True),
        ("isnan(loss) or loss > 1", math.nan, True),
        ("not isfinite(loss)", math.inf, True),
        ("loss > 1e308", math.inf, True),
        ("loss + 1 > 0", math.inf, True),
        ("exp(-loss) == 0", math.inf, True),
    ],
)
def test_values_that_are_not_finite(text: str, loss: float, expected: bool) -> None:
    """Infinity and NaN that come from outside compare as in Python, and can be tested for."""
    assert compile_condition(text).evaluate({"loss": loss}) is expected


def test_arithmetic_is_in_float64() -> None:
    """Integers of the text and of the values are float64 numbers."""
    assert compile_condition("9007199254740993 == 9007199254740992").evaluate({})
    assert compile_condition("step == 9007199254740992").evaluate({"step": 9007199254740993})


@pytest.mark.parametrize(
    ("text", "names", "needs_norm", "is_constant"),
    [
        ("True", set(), False, True),
        ("1 + 1 == max(2, 1)", set(), False, True),
        ("step > 3 and loss < 2", {"step", "loss"}, False, False),
        ("norm > 3", {"norm"}, True, False),
        ("norm_avg > 3 or closed", {"norm_avg", "closed"}, True, False),
        ("norm_ > 3", {"norm_"}, False, False),
    ],
)
def test_says_what_it_needs(
    text: str, names: set[str], needs_norm: bool, is_constant: bool
) -> None:
    """The names used tell what must be known, and whether the norm must be measured."""
    condition = compile_condition(text)
    assert condition.text == text
    assert condition.names == names
    assert condition.needs_norm is needs_norm
    assert condition.is_constant is is_constant


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ("loss", "loss"),
        ("val/loss (top-5)", "val_loss__top_5_"),
        ("5th", "_5th"),
        ("größe", "gr__e"),
        ("", "_"),
        ("lambda", "lambda_"),
        ("max", "max_"),
        ("norm", "norm_"),
        ("Step", "Step"),
    ],
)
def test_metric_names(metric: str, name: str) -> None:
    """A metric's name becomes one that conditions can use."""
    assert metric_name(metric) == name
    assert compile_condition(f"{name} > 1").names == {name}


def test_every_metric_name_is_usable() -> None:
    """Whatever a metric is called, its name in conditions is one name, and not a built-in one."""
    seeded = random.Random(4)
    for _ in range(2_000):
        metric = "".join(chr(seeded.choice([95, 46, *range(48, 123), 233])) for _ in range(3))
        name = metric_name(metric)
        assert isinstance(ast.parse(name, mode="eval").body, ast.Name)
        assert compile_condition(name).names == {name}
