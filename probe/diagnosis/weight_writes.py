"""What a step writes into the weights by hand, beside the optimizer."""

from __future__ import annotations

from collections.abc import Sequence

from .dataflow import Dataflow
from .tape import Tape, Value

ALIASES = frozenset({"data", "detach"})
"""What they make shares the memory of what it was made of."""


def moved_by_hand(parameter: int, tape: Tape, dataflow: Dataflow) -> bool:
    """Return whether the step itself moves a parameter, of this ``id``, by what it writes into it.

    That is what came of a gradient, or of other weights, as an average of them does; not what came
    of the parameter alone, as when it is clipped or normalised.
    """
    if tape.hooks.moved(parameter):
        return True
    own = tape.leaves.get(parameter, [])
    found = [parent for value in _writes(own, dataflow) for parent in _parents(value)]
    seen = set(map(id, own))
    for value in found:  # grows
        if id(value) not in seen:
            seen.add(id(value))
            made_by = value.made_by
            of_gradient = value.is_gradient or (made_by is not None and made_by.name == "grad")
            if of_gradient or value.is_parameter or value.leaf is not None:
                return True
            found += _parents(value)
    return False


def used_otherwise(parameter: int, tape: Tape, dataflow: Dataflow) -> bool:
    """Return whether the step made anything of a parameter but what it wrote back into it."""
    own = tape.leaves.get(parameter, [])
    for after in (after for value in own for after in dataflow.next_of(value)):
        written = [each for each in dataflow.next_of(after) if each.over is after]
        only_written = _is_alias(after) and written and len(written) == len(dataflow.next_of(after))
        if not only_written and not any(after is value for value in own):
            return True
    return False


def _writes(own: Sequence[Value], dataflow: Dataflow) -> list[Value]:
    """Find what was written into a tensor, also by way of its ``.data``."""
    found = [value for value in own if value.over is not None]
    aliases = [v for each in own for v in dataflow.next_of(each) if _is_alias(v)]
    for alias in aliases:  # grows
        written = [value for value in dataflow.next_of(alias) if value.over is alias]
        found += written
        aliases += written
    return found


def _is_alias(value: Value) -> bool:
    return value.made_by is not None and value.made_by.name in ALIASES


def _parents(value: Value) -> list[Value]:
    return [*value.flows, *value.lost, *value.plain]
