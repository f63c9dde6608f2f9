"""What conditions compute, and what they say where that cannot be done."""

from __future__ import annotations

import math

import pytest

from gradgate.probe.base.errors import ConditionError
from gradgate.probe.conditions.compiler import compile_condition

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
        ("-loss", True),
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
    with pytest.raises(ConditionError, match="'step' was") as info:
        condition.evaluate({})
    assert info.value.column == 2


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
