"""What a diagnosis found: the cause, the place, and the way of the gradient."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..base.source import Place
from .tape import Value


@dataclass(frozen=True)
class Finding:
    """The cause for one parameter, before it is put into stations and sent."""

    cause: str
    detail: str
    advice: str
    place: Place | None = None
    way: list[Value] = field(default_factory=list)
    """From the parameter to the loss; where it does not lead there, as far as it goes."""
    stop: Value | None = None
    """The value of the way that the gradient does not get past: None, it stops at the parameter."""
    stopped_by: str = ""
    """What stands at the stop: ``detach()``, ``relu``, a module that is never called."""
