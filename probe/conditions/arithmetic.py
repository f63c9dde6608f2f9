"""The arithmetic of conditions: closures over float64 numbers, true as 1.0 and false as 0.0."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..base.errors import ConditionError
from .functions import Function

Values = Mapping[str, float | bool]
Evaluate = Callable[[Values], float]

MAX_KNOWN = 20
"""Names that a message lists, at most."""


@dataclass(frozen=True)
class Part:
    """A part of a condition's text, from ``column`` to ``end``."""

    text: str
    column: int
    end: int | None = None

    @property
    def shown(self) -> str:
        """The part itself, in quotes, shortened."""
        shown = self.text[self.column : self.end].strip()
        return repr(shown if len(shown) <= 40 else f"{shown[:37]}...")

    def error(self, message: str) -> ConditionError:
        """Return an error that is about this part."""
        return ConditionError(message, self.column)


def truth(value: float, part: Part) -> bool:
    """Return whether a value is true: any number but 0. NaN is neither true nor false."""
    if math.isnan(value):
        raise part.error(f"{part.shown} is NaN, which is neither true nor false")
    return value != 0.0


def constant(value: float) -> Evaluate:
    """Make what evaluates to a number."""
    return lambda values: value


def name(known_as: str, part: Part) -> Evaluate:
    """Make what looks up the present value of a name."""

    def evaluate(values: Values) -> float:
        if known_as not in values:
            raise part.error(f"no metric named {known_as!r} was logged yet; {_known(values)}")
        try:
            return float(values[known_as])
        except OverflowError:
            raise part.error(f"overflow: the value of {known_as!r} exceeds float64") from None

    return evaluate


def _known(values: Values) -> str:
    names = sorted(values)
    if not names:
        return "no name is known yet"
    more = f" and {len(names) - MAX_KNOWN} more" if len(names) > MAX_KNOWN else ""
    return f"known: {', '.join(names[:MAX_KNOWN])}{more}"


def _negative(operand: Evaluate, _: Part) -> Evaluate:
    return lambda values: -operand(values)


def _positive(operand: Evaluate, _: Part) -> Evaluate:
    return operand


def _not(operand: Evaluate, part: Part) -> Evaluate:
    return lambda values: float(not truth(operand(values), part))


UNARY: Mapping[type[ast.unaryop], Callable[[Evaluate, Part], Evaluate]] = {
    ast.USub: _negative,
    ast.UAdd: _positive,
    ast.Not: _not,
}

Binary = Callable[[float, float], float]

# math.pow, unlike **, never leaves the real numbers: (-8) ** 0.5 is a ValueError.
BINARY: Mapping[type[ast.operator], Binary] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: math.pow,
}


@dataclass(frozen=True)
class Operation:
    """An operation on what stands on its left."""

    compute: Binary
    right: Evaluate
    part: Part

    def apply(self, left: float, values: Values) -> float:
        """Return the result; only infinite operands give infinity."""
        right = self.right(values)
        try:
            result = self.compute(left, right)
        except ZeroDivisionError:
            raise self.part.error(f"division by zero in {self.part.shown}") from None
        except OverflowError:
            result = math.inf
        except ValueError:
            raise self.part.error(
                f"{left:g} to the power of {right:g} is not defined in {self.part.shown}"
            ) from None
        if math.isinf(result) and math.isfinite(left) and math.isfinite(right):
            raise self.part.error(f"overflow in {self.part.shown}: the result exceeds float64")
        return result


def fold(first: Evaluate, operations: Sequence[Operation]) -> Evaluate:
    """Make what computes operations one after the other, from the left."""

    def evaluate(values: Values) -> float:
        value = first(values)
        for operation in operations:
            value = operation.apply(value, values)
        return value

    return evaluate


def logical(operands: Sequence[tuple[Evaluate, Part]], *, stop_at: bool) -> Evaluate:
    """Make ``or`` (``stop_at`` True) or ``and``: as in Python, the deciding operand's value."""
    *firsts, (last, _) = operands

    def evaluate(values: Values) -> float:
        for operand, part in firsts:
            value = operand(values)
            if truth(value, part) is stop_at:
                return value
        return last(values)

    return evaluate


Comparison = Callable[[float, float], bool]

COMPARISONS: Mapping[type[ast.cmpop], Comparison] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def chain(first: Evaluate, others: Sequence[tuple[Comparison, Evaluate]]) -> Evaluate:
    """Make a comparison, or a chain of them that ends at the first that does not hold."""

    def evaluate(values: Values) -> float:
        left = first(values)
        for compare, operand in others:
            right = operand(values)
            if not compare(left, right):
                return 0.0
            left = right
        return 1.0

    return evaluate


def choice(test: Evaluate, part: Part, then: Evaluate, otherwise: Evaluate) -> Evaluate:
    """Make ``then if test else otherwise``."""
    return lambda values: (then if truth(test(values), part) else otherwise)(values)


def call(function: Function, arguments: Sequence[Evaluate], part: Part) -> Evaluate:
    """Make a call of one of the functions."""

    def evaluate(values: Values) -> float:
        numbers = [argument(values) for argument in arguments]
        try:
            return float(function.compute(*numbers))
        except OverflowError:
            raise part.error(f"overflow in {part.shown}: the result exceeds float64") from None
        except ValueError:
            raise part.error(
                f"{function.name} of {numbers[0]:g} is not defined in {part.shown}"
            ) from None

    return evaluate
