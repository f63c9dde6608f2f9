"""Where NaN or infinity in a gradient came from: weight, value or gradient, the first of all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..model.onset import Onset
from .case import Case, Finding
from .dataflow import Dataflow
from .tape import Call, Tape, Value, size_of
from .torch_functions import ADDS, ATTENDS, ENTERS_TORCH, MASKS, PASSES, PRODUCTS, is_singular
from .value_causes import Nonfinite

MOST_COMPARED = 8
"""Parameters whose ways are compared to find what they have in common."""


@dataclass(frozen=True)
class Origin:
    """What made the first value that is not finite."""

    call: Call | None
    """None: no value on the way was so; the backward made it."""
    given: Value | None = None
    """What held it before the step; ``call`` is the first to use it."""


def is_bad(value: Value) -> bool:
    """Return whether a value is not finite, and is not a mask's minus infinity."""
    size = size_of(value)
    if size is None or math.isfinite(size):
        return False
    made_by = value.made_by
    return math.isnan(size) or made_by is None or made_by.name not in MASKS


def is_mask(value: Value) -> bool:
    """Return whether an infinity may be a mask's: one that was given, or what it was added to."""
    pending, seen = [value], {id(value)}
    for each in pending:  # grows
        size, made_by = size_of(each), each.made_by
        if size is None or math.isfinite(size) or (made_by is not None and made_by.name in MASKS):
            continue
        if math.isnan(size) or each.is_parameter:
            return False
        if made_by is not None and made_by.name not in ADDS | PASSES:
            return False
        parents = [v for v in (*each.flows, *each.lost, *each.plain) if id(v) not in seen]
        seen.update(map(id, parents))
        pending += parents
    return True


def masked(call: Call) -> bool:
    """Return whether an attention is given the infinities of a mask."""
    infinite = [v for v in call.inputs if size_of(v) == math.inf]
    return call.name in ATTENDS and bool(infinite) and all(map(is_mask, infinite))


def _bad_among(values: Iterable[Value], user: Call) -> list[Value]:
    """Find the values that are not finite, but for a mask where one is meant."""
    found = [value for value in values if is_bad(value)]
    return [v for v in found if math.isnan(size_of(v) or 0)] if masked(user) else found


def origin(call: Call) -> Origin:
    """Follow the first non-finite value back from ``call``, through what it was made of."""
    bad = next(iter([*_bad_among(call.inputs, call), *filter(is_bad, call.outputs)]), None)
    if bad is None:
        return Origin(None)
    user: Call | None = call
    seen: set[int] = set()
    while bad is not None and id(bad) not in seen:
        seen.add(id(bad))
        made_by = bad.made_by
        if made_by is None:
            return Origin(user, bad)
        worse = _bad_among([*bad.flows, *bad.lost, *bad.plain], made_by)
        user, bad = made_by, worse[0] if worse else None
    return Origin(user)


@dataclass(frozen=True)
class Suspects:
    """What the first bad step can have had between a sound gradient and a spoilt one."""

    first: str
    """The parameter nearest to the loss whose gradient was not finite."""
    sound: tuple[str, ...]
    """Those nearer to the loss, whose gradients were finite."""
    calls: tuple[Call, ...]
    """The calls between that have points without a finite value or derivative."""
    forward_was_finite: bool
    """A sound gradient is a product with what was made of the spoilt ones: that was finite."""


class NonfiniteOrigins:
    """Asks one step, and what is known of earlier ones, where NaN or infinity began."""

    def __init__(self, tape: Tape, dataflow: Dataflow, names: Mapping[int, str]) -> None:
        """``names``: of parameters and buffers, by ``id``."""
        self._tape = tape
        self._dataflow = dataflow
        self._names = names
        self._suspects: dict[Onset, Suspects | None] = {}

    def find(self, case: Case, call: Call, way: list[Value]) -> Finding:
        """Name what made the first bad value, from a call whose backward spread it."""
        born = origin(call)
        if born.given is not None and born.given.is_parameter:
            return self._in_weights(case, way)
        first = born.call or call
        if born.given is not None:
            holder = self._names.get(born.given.source or 0)
            return Nonfinite.from_input(case.name, first, way, None, holder)
        if born.call is None:
            return Nonfinite.by_backward(case.name, first, way, None)
        if first.name in ENTERS_TORCH:
            return Nonfinite.from_outside(case.name, first, way, None)
        if masked(first):
            return Nonfinite.by_mask(case.name, first, way, None)
        return Nonfinite.by_call(case.name, first, way, None)

    def _in_weights(self, case: Case, way: list[Value]) -> Finding:
        """Say since when weights hold it, and what made it there."""
        bad = [key for key, values in self._tape.leaves.items() if _was_bad(values)]
        onset = case.onset
        if onset is None:
            return Nonfinite.in_weights(case.name, self._named(bad), way)
        if onset.weights_before:
            return Nonfinite.weights_first(case.name, self._named(onset.weights_before), onset, way)
        if onset not in self._suspects:
            self._suspects[onset] = self._suspects_of(onset)
        suspects = self._suspects[onset]
        if onset.weights_before is None or suspects is None:
            return Nonfinite.since_step(case.name, self._named(bad), onset, way)
        return Nonfinite.gradient_first(
            case.name,
            onset,
            suspects.first,
            suspects.sound,
            suspects.calls,
            way,
            forward_was_finite=suspects.forward_was_finite,
        )

    def _suspects_of(self, onset: Onset) -> Suspects | None:
        """Compare the ways of the gradients that were spoilt with those that were sound."""
        used = [key for key in self._names if key in onset.spoilt and self._first_use(key)]
        spoilt = sorted(used, key=self._first_use, reverse=True)
        if not spoilt:
            return None
        products = [
            call
            for key in onset.sound
            for value in self._values(key)
            for after in self._dataflow.next_of(value)
            if (call := after.made_by) is not None and call.name in PRODUCTS
        ]
        behind = {id(v) for v in self._dataflow.flow(v for c in products for v in c.outputs)}
        sound = [key for key in self._names if key in onset.sound and self._first_use(key)]
        ways = [self._dataflow.flow(self._values(key)) for key in spoilt[:MOST_COMPARED]]
        if not sound:  # then it may have come out of the forward, from anywhere
            ways = [self._tape.values]
        calls = [call for call in self._tape.calls if _is_suspect(call)]
        for values in ways:
            between = {
                id(v.made_by) for v in values if self._dataflow.in_loss(v) and id(v) not in behind
            }
            calls = [call for call in calls if id(call) in between]
        flow_of_first = {id(v) for v in ways[0]}
        finite = any(id(v) in flow_of_first for c in products for v in c.inputs)
        first = self._names[spoilt[0]]
        return Suspects(first, self._named(sound), tuple(calls), finite)

    def _first_use(self, key: int) -> int:
        """Count how late in the step a parameter is used first, from 1; 0 if it is not."""
        uses = [after.made_by for v in self._values(key) for after in self._dataflow.next_of(v)]
        return min((call.index + 1 for call in uses if call is not None), default=0)

    def _named(self, keys: Iterable[int]) -> tuple[str, ...]:
        known = set(keys)
        return tuple(name for key, name in self._names.items() if key in known)

    def _values(self, key: int) -> list[Value]:
        return self._tape.leaves.get(key, [])


def _was_bad(values: Sequence[Value]) -> bool:
    """Return whether a parameter was not finite when the step began."""
    sizes = (size_of(value) for value in values if value.source is not None)
    return any(size is not None and not math.isfinite(size) for size in sizes)


def _is_suspect(call: Call) -> bool:
    return call.custom or (is_singular(call.name) and not call.smooth)
