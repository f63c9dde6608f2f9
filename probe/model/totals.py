"""The total gradient norm of a step, sampled or not: what tells that something happened in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

NONFINITE = 1
"""The flag of a step in which a gradient held an infinity or a NaN."""
SKIPPED = 2
"""The flag of a step that the optimizer did not apply: an overflow under AMP."""
BEFORE_CLIPPING = 4
"""The flag of a norm that the script's own clipping has computed, before it clipped."""


@dataclass(frozen=True)
class StepTotal:
    """What was seen of one step."""

    step: int
    norm: float
    """The L2 norm of all gradients together; infinity or NaN where one is not finite."""
    flags: int = 0

    @property
    def finite(self) -> bool:
        """Whether every gradient was finite."""
        return not self.flags & NONFINITE


@dataclass(frozen=True)
class Totals:
    """Steps that were looked at, rising; those between them that are not there were not."""

    time: float
    """When the last of them ended."""
    steps: Sequence[StepTotal]

    def as_message(self, seq: int) -> dict[str, Any]:
        """The totals as the wire protocol has them."""
        return {
            "type": "totals",
            "seq": seq,
            "time": self.time,
            "steps": [each.step for each in self.steps],
            "norms": [_rounded(each.norm) for each in self.steps],
            "flags": [each.flags for each in self.steps],
        }


def _rounded(norm: float) -> float | None:
    """Return as many digits as a float32 has; None for what is not finite."""
    return float(f"{norm:.7g}") if math.isfinite(norm) else None
