"""The groups of parameters that a job's optimizers treat alike."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, FiniteFloat

from . import limits
from .fields import Count, Index, Name, Text
from .models import Message, Row

Option = bool | FiniteFloat | Text | Annotated[list[FiniteFloat], Field(max_length=16)]
Neighbours = Annotated[list[Index], Field(min_length=2, max_length=2)]
"""The first and the last index of parameters that follow each other."""


class OptimizerGroup(Message):
    """One group of an optimizer: its parameters, and its options as the step applied them."""

    optimizer: Text
    number: Count
    """Of the optimizer, counted from 0 as `attach` was given them."""
    group: Count
    """Of the group in it, counted from 0."""
    parameters: Annotated[list[Neighbours], Field(max_length=limits.PARAMETERS)]
    options: Annotated[dict[Name, Option], Field(max_length=100)]
    """By name, such as `lr`; what is no number is left out."""


class OptimizerGroupRows(Row):
    """Answer of `GET /api/runs/{run}/optimizers`; `step` is null before the job told of any."""

    step: Count | None
    groups: list[OptimizerGroup]
