"""What conditions compute: closures over float64 numbers, true as 1.0 and false as 0.0."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..base.errors import ConditionError

Values = Mapping[str, float | bool]
Evaluate = Callable[[Values], float]

MAX_KNOWN = 20


@dataclass(frozen=True)
class Place:
    """A part of a condition's text."""

    text: str
    column: int
    end: int | None = None

    @property
    def shown(self) -> str:
        """The part itself, in quotes, shortened."""
        part = self.text[self.column : self.end].strip()
        return repr(part if len(part) <= 40 else f"{part[:37]}...")

    def error(self, message: str) -> ConditionError:
        """An error that is about this part."""
        return ConditionError(message, self.column)


def truth(value: float, place: Place) -> bool:
    """Whether a value is true: any number but 0. NaN is neither."""
    if math.isnan(value):
        raise place.error(f"{place.shown} is NaN, which is neither true nor false")
    return value != 0.0


def constant(value: float) -> Evaluate:
    """A number."""
    return lambda values: value


def name(known_as: str, place: Place) -> Evaluate:
    """The present value of a name."""

    def evaluate(values: Values) -> float:
        if known_as not in values:
            raise place.error(f"no metric named {known_as!r} was logged yet; {_known(values)}")
        try:
            return float(values[known_as])
        except OverflowError:
            raise place.error(f"overflow: the value of {known_as!r} exceeds float64") from None

    return evaluate


def _known(values: Values) -> str:
    names = sorted(values)
    if not names:
        return "no name is known yet"
    more = f" and {len(names) - MAX_KNOWN} more" if len(names) > MAX_KNOWN else ""
    return f"known: {', '.join(names[:MAX_KNOWN])}{more}"


def _negative(operand: Evaluate, _: Place) -> Evaluate:
    return lambda values: -operand(values)


def _positive(operand: Evaluate, _: Place) -> Evaluate:
    return operand


def _not(operand: Evaluate, place: Place) -> Evaluate:
    return lambda values: float(not truth(operand(values), place))


UNARY: Mapping[type[ast.unaryop], Callable[[Evaluate, Place], Evaluate]] = {
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
    """What is done to the operand on the left."""

    compute: Binary
    right: Evaluate
    place: Place

    def apply(self, left: float, values: Values) -> float:
        """The result; only infinite operands give infinity."""
        right = self.right(values)
        try:
            result = self.compute(left, right)
        except ZeroDivisionError:
            raise self.place.error(f"division by zero in {self.place.shown}") from None
        except OverflowError:
            result = math.inf
        except ValueError:
            raise self.place.error(
                f"{left:g} to the power of {right:g} is not defined in {self.place.shown}"
            ) from None
        if math.isinf(result) and math.isfinite(left) and math.isfinite(right):
            raise self.place.error(f"overflow in {self.place.shown}: the result exceeds float64")
        return result


def fold(first: Evaluate, operations: Sequence[Operation]) -> Evaluate:
    """Operations one after the other, from the left."""

    def evaluate(values: Values) -> float:
        value = first(values)
        for operation in operations:
            value = operation.apply(value, values)
        return value

    return evaluate


def logical(operands: Sequence[tuple[Evaluate, Place]], *, stop_at: bool) -> Evaluate:
    """``or`` (``stop_at`` True) or ``and``: as in Python, the value of the deciding operand."""
    *firsts, (last, _) = operands

    def evaluate(values: Values) -> float:
        for operand, place in firsts:
            value = operand(values)
            if truth(value, place) is stop_at:
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
    """A comparison, or a chain of them that ends at the first that does not hold."""

    def evaluate(values: Values) -> float:
        left = first(values)
        for compare, operand in others:
            right = operand(values)
            if not compare(left, right):
                return 0.0
            left = right
        return 1.0

    return evaluate


def choice(test: Evaluate, place: Place, then: Evaluate, otherwise: Evaluate) -> Evaluate:
    """``then if test else otherwise``."""
    return lambda values: (then if truth(test(values), place) else otherwise)(values)


@dataclass(frozen=True)
class Function:
    """A function of the language: of one number, or of two and more."""

    name: str
    compute: Callable[..., float]
    several: bool = False

    def takes(self, count: int) -> bool:
        """Whether it can be called with that many arguments."""
        return count >= 2 if self.several else count == 1

    @property
    def wants(self) -> str:
        """What it takes, in words."""
        return "two arguments or more" if self.several else "one argument"


def _least(*numbers: float) -> float:
    return math.nan if any(map(math.isnan, numbers)) else min(numbers)


def _greatest(*numbers: float) -> float:
    return math.nan if any(map(math.isnan, numbers)) else max(numbers)


# Python's min(1, nan) is 1 and its min(nan, 1) NaN; here NaN wins, as in torch.minimum.
CALLS: Mapping[str, Function] = {
    function.name: function
    for function in (
        Function("abs", abs),
        Function("exp", math.exp),
        Function("isfinite", math.isfinite),
        Function("isnan", math.isnan),
        Function("log", math.log),
        Function("max", _greatest, several=True),
        Function("min", _least, several=True),
        Function("sqrt", math.sqrt),
    )
}


def call(function: Function, arguments: Sequence[Evaluate], place: Place) -> Evaluate:
    """A call of one of the functions."""

    def evaluate(values: Values) -> float:
        numbers = [argument(values) for argument in arguments]
        try:
            return float(function.compute(*numbers))
        except OverflowError:
            raise place.error(f"overflow in {place.shown}: the result exceeds float64") from None
        except ValueError:
            raise place.error(
                f"{function.name} of {numbers[0]:g} is not defined in {place.shown}"
            ) from None

    return evaluate
