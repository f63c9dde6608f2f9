"""Conditions as nobody should write them, and what Python itself makes of them."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

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


class _Reference(ast.NodeTransformer):
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


def _checked(value: float) -> float:
    if math.isinf(value):
        raise OverflowError
    return value


def python_decides(text: str, values: Mapping[str, float]) -> bool | None:
    """What Python decides in float64; None for an overflow, or what has no value."""
    tree = ast.fix_missing_locations(_Reference().visit(ast.parse(text, mode="eval")))
    scope = {**FUNCTIONS, **values, "checked": _checked, "power": math.pow, "__builtins__": {}}
    try:
        return bool(eval(compile(tree, "<reference>", "eval"), scope))
    except (ArithmeticError, ValueError):
        return None
