"""The functions that conditions can call: one entry each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Function:
    """A function of the language: of one number, or of two and more."""

    name: str
    compute: Callable[..., float]
    """Raises ``ValueError`` outside of its domain, and ``OverflowError``."""
    several: bool = False

    def takes(self, count: int) -> bool:
        """Return whether it can be called with that many arguments."""
        return count >= 2 if self.several else count == 1

    @property
    def wants(self) -> str:
        """How many arguments it takes, in words."""
        return "two arguments or more" if self.several else "one argument"


def _least(*numbers: float) -> float:
    return math.nan if any(map(math.isnan, numbers)) else min(numbers)


def _greatest(*numbers: float) -> float:
    return math.nan if any(map(math.isnan, numbers)) else max(numbers)


# Python's min(1, nan) is 1 and its min(nan, 1) NaN; here NaN wins, as in torch.minimum.
FUNCTIONS: Mapping[str, Function] = {
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
