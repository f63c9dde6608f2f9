"""The names under which conditions know metrics."""

from __future__ import annotations

import ast
import random

import pytest

from gradgate.probe.conditions.compiler import compile_condition
from gradgate.probe.conditions.names import OWN_NAMES, metric_name


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


def test_the_names_of_the_language() -> None:
    """A metric that is named like a name of the language gets another one, and no other does."""
    for name in OWN_NAMES:
        assert metric_name(name) == f"{name}_"
        assert metric_name(f"{name}_") == f"{name}_"


def test_every_metric_name_is_usable() -> None:
    """Whatever a metric is called, its name in conditions is one name, and not a built-in one."""
    seeded = random.Random(4)
    for _ in range(2_000):
        metric = "".join(chr(seeded.choice([95, 46, *range(48, 123), 233])) for _ in range(3))
        name = metric_name(metric)
        assert isinstance(ast.parse(name, mode="eval").body, ast.Name)
        assert compile_condition(name).names == {name}
