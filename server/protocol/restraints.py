"""What a script expects to stay as it is, beside what it expects to train."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from . import limits
from .fields import Name
from .models import Message

_Patterns = Annotated[list[Name], Field(max_length=limits.EXPECTATIONS)]
_Share = Annotated[float, Field(ge=0, le=1)]


class Restraints(Message):
    """Patterns of weights and of running statistics that keep every bit, and how much trains.

    `share` has the least and the largest share of the numbers that may require a gradient.
    """

    frozen: _Patterns = Field(default=[])
    frozen_stats: _Patterns = Field(default=[])
    share: Annotated[list[_Share], Field(min_length=2, max_length=2)] | None = None
