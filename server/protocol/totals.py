"""What tells of every step that something happened: its total gradient norm."""

from __future__ import annotations

import math
from collections.abc import Iterator
from enum import IntFlag
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, model_validator

from . import limits
from .fields import Count, Seq
from .models import Message

TOTAL_GRAD_NORM = "gradgate/total_grad_norm"
"""The metric that total norms are kept as; a norm that is not finite is null."""


class TotalFlag(IntFlag):
    """What is known of a step beside its total norm."""

    NONFINITE = 1
    """A gradient held an infinity or a NaN."""
    SKIPPED = 2
    """The optimizer did not apply the step: an overflow under AMP."""
    BEFORE_CLIPPING = 4
    """The norm is that of the script's own clipping, before it clipped."""


class Totals(Message):
    """The total gradient norms of steps, sampled or not; those not listed were not looked at."""

    type: Literal["totals"]
    seq: Seq
    time: FiniteFloat
    """When the last of them ended."""
    steps: Annotated[list[Count], Field(min_length=1, max_length=limits.TOTALS)]
    norms: list[float | None]
    """One a step; None where it is not finite."""
    flags: list[Annotated[int, Field(ge=0, le=255)]]
    """One a step: `TotalFlag`, and bits that this version does not know."""

    @property
    def step(self) -> int:
        """Return the last step."""
        return self.steps[-1]

    def points(self) -> Iterator[tuple[int, float | None]]:
        """Yield each step and its norm, None where that is not finite."""
        for step, norm in zip(self.steps, self.norms, strict=True):
            yield step, norm if norm is not None and math.isfinite(norm) else None

    @model_validator(mode="after")
    def _matches(self) -> Totals:
        if not len(self.steps) == len(self.norms) == len(self.flags):
            raise ValueError("`steps`, `norms` and `flags` have one entry a step each")
        if not all(earlier < later for earlier, later in pairwise(self.steps)):
            raise ValueError("`steps` rise")
        return self
