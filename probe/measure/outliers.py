"""Which steps are out of line with those before them, by their total gradient norm."""

from __future__ import annotations

from collections import deque
from statistics import median

from ..model.totals import StepTotal

SPIKE = 5.0
"""How many times the running median a norm has to be."""
WINDOW = 64
"""Norms that the median is taken of."""
LEAST = 8
"""Norms before which nothing is out of line."""
RENEWED = 8
"""Norms after which the median is taken anew: sorting costs more than all else here."""


class Outliers:
    """Follows the norms, and tells one that is out of line: not finite, or a spike."""

    def __init__(self) -> None:
        self._norms: deque[float] = deque(maxlen=WINDOW)
        self._since = 0
        self._limit = 0.0
        """0 while nothing is known that a norm could be out of line with."""
        self._in_trouble = False

    def receive(self, total: StepTotal) -> bool:
        """Take in a step; return whether something began in it: of a row only the first is told."""
        if total.finite:
            out = 0 < self._limit < total.norm
            self._follow(total.norm)
        else:
            out = True
        began = out and not self._in_trouble
        self._in_trouble = out
        return began

    def _follow(self, norm: float) -> None:
        self._norms.append(norm)
        self._since += 1
        if len(self._norms) >= LEAST and self._since >= RENEWED:
            self._since = 0
            self._limit = SPIKE * median(self._norms)
