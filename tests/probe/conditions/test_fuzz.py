"""Generated conditions: nothing undocumented is in reach, nothing is slow, Python agrees."""

from __future__ import annotations

import contextlib
import gc
import re
import sys
import time
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradgate.probe.base import errors
from gradgate.probe.base.errors import ConditionError
from gradgate.probe.conditions import arithmetic, compiler, functions
from gradgate.probe.conditions.compiler import Condition, compile_condition
from tests.support.hostile_conditions import (
    FRAGMENTS,
    FUNCTIONS,
    NAMES,
    anything,
    expressions,
    finite,
    python_decides,
    texts,
)

MOST_SECONDS = 0.050


class Reach:
    """Notes every function that runs while a condition is evaluated."""

    OWN_FILES = frozenset(
        str(module.__file__) for module in (arithmetic, compiler, errors, functions)
    )
    COMPUTING = "abs exp isfinite isinf isnan log max min pow sqrt"
    OPERATORS = "add eq ge gt le lt mod mul ne sub truediv"
    SAYING = "__init__ __setattr__ any isprintable join len repr sorted strip"
    BUILTINS = frozenset(f"{COMPUTING} {OPERATORS} {SAYING} setprofile".split())

    def __init__(self) -> None:
        self.strays: list[str] = []

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        """A profiling hook, see ``sys.setprofile``."""
        if event == "c_call" and argument.__name__ not in self.BUILTINS:
            self.strays.append(argument.__name__)
        if event == "call" and frame.f_code.co_filename not in {*self.OWN_FILES, "<string>"}:
            self.strays.append(f"{frame.f_code.co_filename}: {frame.f_code.co_name}")


def decide(condition: Condition, values: dict[str, float]) -> bool | None:
    """The decision, None for a documented error; nothing else may have run."""
    reach = Reach()
    decision: object = None
    problem: ConditionError | None = None
    gc.disable()  # a collection would run its callbacks under the hook
    sys.setprofile(reach)
    try:
        decision = condition.evaluate(values)
    except ConditionError as error:
        problem = error
    finally:
        sys.setprofile(None)
        gc.enable()
    assert not reach.strays
    if problem is None:
        assert type(decision) is bool
        return decision
    assert "\n" not in str(problem)
    return None


def compiled(text: str) -> Condition | None:
    """The compiled text, None for one that is refused at a place in it."""
    refusal: ConditionError | None = None
    try:
        return compile_condition(text)
    except ConditionError as error:
        refusal = error
    assert refusal.column is not None
    assert 0 <= refusal.column <= len(text)
    return None


def seconds(text: str, values: dict[str, float]) -> float:
    """What this thread needs to compile a text and to decide it."""
    start = time.thread_time()
    condition = compiled(text)
    if condition is not None:
        with contextlib.suppress(ConditionError):
            condition.evaluate(values)
    return time.thread_time() - start


@settings(
    max_examples=1_500,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(texts, st.fixed_dictionaries(dict.fromkeys(NAMES, anything)))
def test_nothing_undocumented_is_in_reach_and_nothing_is_slow(
    text: str, values: dict[str, float]
) -> None:
    """Any text is refused or decides by its own names alone, within 50 ms."""
    condition = compiled(text)
    if condition is not None:
        assert condition.names <= set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", text)) - set(FUNCTIONS)
        decision = decide(condition, values)
        if not condition.names <= set(NAMES):
            known = {name: value for name, value in values.items() if name in condition.names}
            assert decide(condition, known) is decision
    # An offender gets a second chance: the first may have met the collector of garbage.
    assert seconds(text, values) < MOST_SECONDS or seconds(text, values) < MOST_SECONDS


@settings(max_examples=800, deadline=None, database=None)
@given(
    expressions,
    st.fixed_dictionaries({**dict.fromkeys(NAMES, finite), "closed": st.booleans()}),
)
def test_python_agrees_on_finite_values(text: str, values: dict[str, float]) -> None:
    """An expression of the grammar decides, or fails, exactly as Python's own evaluation."""
    condition = compiled(text)
    decision = None if condition is None else decide(condition, values)
    assert decision is python_decides(text, values)


@pytest.mark.exhaustive(20)
@pytest.mark.parametrize(
    "part", [*FRAGMENTS, "(a if b else ", "max(1, ", "not ", "a < (", "-(", "x "]
)
@pytest.mark.parametrize("times", [32, 1_000, 100_000])
def test_repetition_is_not_slow(part: str, times: int) -> None:
    """A part repeated until it hurts is refused, or taken, within 50 ms."""
    for text in (part * times, (part * times)[:1_000], (part * times)[:990] + " a b"):
        assert seconds(text, {}) < MOST_SECONDS or seconds(text, {}) < MOST_SECONDS
