"""The functions that conditions can call."""

from __future__ import annotations

import math

import pytest

from gradgate.probe.base.errors import ConditionError
from gradgate.probe.conditions.compiler import compile_condition
from gradgate.probe.conditions.functions import FUNCTIONS


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("abs(-2.5)", 2.5),
        ("exp(0)", 1.0),
        ("isfinite(x)", 0.0),
        ("isnan(x)", 0.0),
        ("log(1)", 0.0),
        ("max(1, 3, 2)", 3.0),
        ("min(2, 1, 3)", 1.0),
        ("sqrt(6.25)", 2.5),
    ],
)
def test_what_each_computes(text: str, value: float) -> None:
    """Every function computes what its name says, in float64."""
    assert compile_condition(f"{text} == {value}").evaluate({"x": math.inf})


def test_every_function_is_called_with_as_many_numbers_as_it_takes() -> None:
    """One number, or two and more: any other count is refused when it is compiled."""
    for name, function in FUNCTIONS.items():
        assert function.name == name
        for count in range(4):
            text = f"{name}({', '.join(['x'] * count)}) == 1"
            if count >= 2 if function.several else count == 1:
                assert compile_condition(text).names == {"x"}
            else:
                with pytest.raises(ConditionError, match=f"{name} takes {function.wants}, not"):
                    compile_condition(text)


@pytest.mark.parametrize("text", ["min(x, 1)", "min(1, x)", "max(x, 1)", "max(1, x)"])
def test_of_nan_and_a_number_nan_is_the_least_and_the_greatest(text: str) -> None:
    """As in torch.minimum, a NaN wins wherever it stands; Python's own min keeps the first."""
    assert compile_condition(f"isnan({text})").evaluate({"x": math.nan})
