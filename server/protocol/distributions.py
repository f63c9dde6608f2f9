"""Distributions: how the numbers of a gradient and of its weight are spread."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from . import limits
from .fields import Count, Figure, Index
from .models import Message

Octaves = Annotated[list[Count], Field(max_length=limits.OCTAVES)]


class RowNorms(Message):
    """The L2 norms of the rows of a tensor of two dimensions or more."""

    count: Count
    """Rows that there are."""
    zero: Count
    """Rows with nothing but zeros."""
    norms: Annotated[list[Figure | None], Field(max_length=limits.ROW_NORMS)]
    """The largest of each run of neighbours; null is one that is not finite."""


class Distribution(Message):
    """How many numbers of a tensor have which size; each is counted once, in one place."""

    numel: Count
    """Numbers that were counted."""
    sample_of: Count | None = None
    """Numbers of which these are an even sample; null where they are all."""
    zeros: Count
    nan: Count
    posinf: Count
    neginf: Count
    first: Annotated[int, Field(ge=-limits.OCTAVES, le=limits.OCTAVES)]
    """The power of two at which the octaves begin."""
    negative: Octaves
    """Entry i counts the x below 0 with 2^(first + i) ≤ |x| < 2^(first + i + 1)."""
    positive: Octaves
    """The same of those above 0."""
    rows: RowNorms | None
    """Null of a tensor without rows, of a sample, or of a part: other processes have the rest."""

    @model_validator(mode="after")
    def _adds_up(self) -> Distribution:
        if len(self.negative) != len(self.positive):
            raise ValueError("`negative` and `positive` have an entry for each octave")
        apart = self.zeros + self.nan + self.posinf + self.neginf
        if apart + sum(self.negative) + sum(self.positive) != self.numel:
            raise ValueError("the counts of a distribution are `numel` together")
        if self.sample_of is not None and self.sample_of < self.numel:
            raise ValueError("a sample has at most as many numbers as what it is of")
        return self


class ParameterDistributions(Message):
    """What was seen of one parameter; null of what it does not have, or that cannot be read."""

    parameter: Index
    gradient: Distribution | None
    """As the optimizer was about to apply it."""
    stale: bool = False
    """That gradient was left from an earlier step: no backward wrote it since."""
    weight: Distribution | None
    """As the step left it."""


class SeenDistributions(ParameterDistributions):
    """The same with the step that it is of."""

    step: Count
    time: float
