"""For how long a freeze or a gate lasts."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from .. import limits
from ..models import Message, Request

Steps = Annotated[int, Field(ge=1, le=limits.NUMBER)]
Seconds = Annotated[float, Field(gt=0, le=limits.LASTING_SECONDS)]


class Limit(Message):
    """What undoes a freeze or removes a gate by itself; the first that comes does.

    `while_watched`: it lasts as long as the page that asked for it is there.
    """

    steps: Steps | None = None
    seconds: Seconds | None = None
    while_watched: bool = False


class LimitRequest(Request):
    """A limit that a browser or a script asks for."""

    steps: Steps | None = None
    seconds: Seconds | None = None
    while_watched: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> LimitRequest:
        if self.steps is None and self.seconds is None and not self.while_watched:
            raise ValueError("give `steps`, `seconds` or `while_watched`, or leave `limit` out")
        return self


def limit_text(limit: Limit) -> str:
    """Say how long something lasts, such as `for 500 steps or 10 min`."""
    ends = []
    if limit.steps is not None:
        ends.append(f"{limit.steps:,} step" + ("" if limit.steps == 1 else "s"))
    if limit.seconds is not None:
        ends.append(_duration(limit.seconds))
    parts = ["for " + " or ".join(ends)] if ends else []
    parts += ["while its page is open"] if limit.while_watched else []
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:,g} s"
