"""Generated conditions: nothing undocumented is in reach, nothing is slow, Python agrees."""

from __future__ import annotations

import ast
import contextlib
import gc
import math
import re
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradgate.probe.base import errors
from gradgate.probe.base.errors import ConditionError
from gradgate.probe.conditions import arithmetic, compiler, functions
from gradgate.probe.conditions.compiler import Condition, compile_condition

MOST_SECONDS = 0.050

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "min": min,
    "max": max,
    "sqrt": math.sqrt,
    "log": math.log,
    "exp": math.exp,
    "isfinite": math.isfinite,
    "isnan": math.isnan,
}
NAMES = ("step", "norm", "norm_avg", "closed", "loss")
MARKS = "+ - * / % ** // < <= > >= == != = := ( ) [ ] { } , . : ; ' \" \\ \n \t \0 # @ & | ~"
WORDS = "and or not if else True False None lambda for in is await yield import exec"
FRAGMENTS = (
    *FUNCTIONS,
    *NAMES,
    *MARKS.split(" "),
    *WORDS.split(),
    *("1", "0", "0.5", "1e308", "9" * 50, "1e999", "0x1", "1_0", "2j", "8", "...", "é", "ｎorm"),
    *("__import__('os')", "open(1)", "eval(", ".__class__", ".__globals__", "[0]", "f''"),
)


def _nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions one level around ``inner``, with and without parentheses."""
    infix = ("+", "-", "*", "/", "%", "<", "<=", ">", ">=", "==", "!=", "and", "or")
    calls = tuple(f"{name}({{}})" for name in FUNCTIONS if name not in ("min", "max"))
    powers = tuple(f"({{}}) ** {exponent}" for exponent in ("2", "-1", "0.5", "8", "+3", "-2.5"))
    ones = (*calls, *powers, "(not {})", "-({})", "+({})")
    twos = (*(f"{{}} {sign} {{}}" for sign in infix), *(f"({{}} {sign} {{}})" for sign in infix))
    # Python, too, wants parentheses around a choice that is not the last part of another.
    threes = ("(({}) if ({}) else {})", "({}) if ({}) else {}", "{} < {} <= {}", "max({}, {}, {})")
    return st.one_of(
        st.builds(str.format, st.sampled_from(ones), inner),
        st.builds(str.format, st.sampled_from((*twos, "min({}, {})")), inner, inner),
        st.builds(str.format, st.sampled_from(threes), inner, inner, inner),
    )


def _mutate(text: str, edits: list[tuple[int, int, str]]) -> str:
    for place, length, fragment in edits:
        at = place % (len(text) + 1)
        text = text[:at] + fragment + text[at + length :]
    return text


leaves = st.sampled_from([*NAMES, "0", "1", "2", "10", "2.5", "1e-3", "1e200", "True", "False"])
TRAPS = (
    *(
        "loss.real",
        "loss.__class__",
        "abs.__self__",
        "().__class__",
        "loss[0]",
        "open(1)",
        "vars()",
    ),
    *("__import__('os')", "(lambda: 1)()", "[x for x in y]", "'text'", "(x := 1)", "9 ** 9 ** 9"),
)
expressions = st.recursive(leaves, _nested, max_leaves=8)
traps = st.recursive(leaves | st.sampled_from(TRAPS), _nested, max_leaves=4)
fragments = st.sampled_from(FRAGMENTS)
edits = st.lists(
    st.tuples(st.integers(0, 99), st.integers(0, 3), fragments), min_size=1, max_size=3
)
texts = st.one_of(
    st.text(max_size=40),
    st.lists(fragments, max_size=12).map("".join),
    st.lists(fragments, max_size=12).map(" ".join),
    expressions,
    traps,
    st.builds(_mutate, expressions, edits),
    st.builds(lambda part, times: part * times, fragments | expressions, st.integers(1, 5_000)),
)
finite = st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e300])
anything = st.sampled_from(
    [0.0, -0.0, 1.0, -1.0, 2.5, 1e308, -1e308, 5e-324, math.inf, -math.inf, math.nan, True, False]
)


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


class Reference(ast.NodeTransformer):
    """Rewrites an expression so that Python computes it in float64 and raises at an overflow."""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return ast.Constant(float(node.value))  # type: ignore[arg-type]

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, ast.Pow):
            return self._call("power", node.left, node.right)
        return self._call("checked", node)

    @staticmethod
    def _call(name: str, *arguments: ast.expr) -> ast.expr:
        return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def checked(value: float) -> float:
    if math.isinf(value):
        raise OverflowError
    return value


def python_decides(text: str, values: dict[str, float]) -> bool | None:
    tree = ast.fix_missing_locations(Reference().visit(ast.parse(text, mode="eval")))
    scope = {**FUNCTIONS, **values, "checked": checked, "power": math.pow, "__builtins__": {}}
    try:
        return bool(eval(compile(tree, "<reference>", "eval"), scope))
    except (ArithmeticError, ValueError):
        return None


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
