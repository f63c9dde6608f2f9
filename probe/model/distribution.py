"""Distributions: how the numbers of a gradient and of its weight are spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RowNorms:
    """L2 norms of a tensor's rows: of what each index of its first dimension holds."""

    count: int
    """Rows that there are."""
    zero: int
    """Rows with nothing but zeros."""
    norms: Sequence[float]
    """The largest of each run of neighbours; the runs are as long as it takes to be few."""

    def as_message(self) -> dict[str, Any]:
        """Return it as the wire protocol has it."""
        norms = [norm if math.isfinite(norm) else None for norm in self.norms]
        return {"count": self.count, "zero": self.zero, "norms": norms}


@dataclass(frozen=True)
class Distribution:
    """How many numbers of a tensor have which size: each is counted once, in one place."""

    numel: int
    """Numbers that were counted."""
    sample_of: int | None
    """Numbers of which these are an even sample; None where they are all that are here."""
    zeros: int
    nan: int
    posinf: int
    neginf: int
    first: int
    """The power of two at which the octaves begin."""
    negative: Sequence[int]
    """Entry i counts the x below 0 with 2^(first + i) ≤ |x| < 2^(first + i + 1)."""
    positive: Sequence[int]
    """The same of those above 0, and as long."""
    rows: RowNorms | None
    """None of a tensor without rows, of which only a part is here, or of a sample."""

    def as_message(self) -> dict[str, Any]:
        """Return it as the wire protocol has it."""
        return {
            "numel": self.numel,
            "sample_of": self.sample_of,
            "zeros": self.zeros,
            "nan": self.nan,
            "posinf": self.posinf,
            "neginf": self.neginf,
            "first": self.first,
            "negative": list(self.negative),
            "positive": list(self.positive),
            "rows": None if self.rows is None else self.rows.as_message(),
        }


@dataclass(frozen=True)
class ParameterDistributions:
    """What was seen of one parameter; None of what it does not have, or that cannot be read."""

    parameter: int
    """Its place in the table."""
    gradient: Distribution | None
    """As the optimizer was about to apply it."""
    stale: bool
    """That gradient was left from an earlier step: no backward wrote it since."""
    weight: Distribution | None
    """As the step left it."""


@dataclass(frozen=True)
class Distributions:
    """A look at the parameters in focus, in one step."""

    step: int
    time: float
    """Seconds since the Unix epoch."""
    parameters: Sequence[ParameterDistributions]

    def as_message(self) -> dict[str, Any]:
        """Return the message of the wire protocol."""
        return {
            "type": "distributions",
            "step": self.step,
            "time": self.time,
            "parameters": [
                {
                    "parameter": each.parameter,
                    "gradient": None if each.gradient is None else each.gradient.as_message(),
                    "stale": each.stale,
                    "weight": None if each.weight is None else each.weight.as_message(),
                }
                for each in self.parameters
            ],
        }
