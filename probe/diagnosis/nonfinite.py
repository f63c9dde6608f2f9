"""Where, in a forward, a value first was not finite."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .tape import Call, Value
from .torch_functions import MASKS


@dataclass(frozen=True)
class Origin:
    """What made the first value that is not finite."""

    call: Call | None
    """None: no value on the way was so; the backward made it."""
    leaf: Value | None = None
    """An input or a parameter that held it from the start; ``call`` is the first to use it."""


def size_of(value: Value) -> float | None:
    """The largest magnitude in a value; a view has that of what it is a view of."""
    seen: set[int] = set()
    while value.size is None and id(value) not in seen:
        seen.add(id(value))
        parents = [*value.flows, *value.lost, *value.plain]
        if len(parents) != 1:
            return None
        value = parents[0]
    return value.size if isinstance(value.size, float) else None


def is_bad(value: Value) -> bool:
    """Whether a value is not finite, and is not a mask's minus infinity."""
    size = size_of(value)
    if size is None or math.isfinite(size):
        return False
    made_by = value.made_by
    return math.isnan(size) or made_by is None or made_by.name not in MASKS


def origin(call: Call) -> Origin:
    """Follow the first non-finite value back from ``call``, through what it was made of."""
    bad = next((v for v in [*call.inputs, *call.outputs] if is_bad(v)), None)
    if bad is None:
        return Origin(None)
    user: Call | None = call
    seen: set[int] = set()
    while bad is not None and id(bad) not in seen:
        seen.add(id(bad))
        made_by = bad.made_by
        if made_by is None:
            return Origin(user, bad)
        worse = [v for v in [*bad.flows, *bad.lost, *bad.plain] if is_bad(v)]
        user, bad = made_by, worse[0] if worse else None
    return Origin(user)
