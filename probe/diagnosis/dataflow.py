"""What came of what in a traced step: followed forward from parameters, and back from the loss."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Sequence

from .tape import Tape, Value


class Dataflow:
    """Answers what came of what on a tape; made once, after the step."""

    def __init__(self, tape: Tape, parameters: Collection[int] = ()) -> None:
        """``parameters``: their ``id``; a backward for none of them, such as that of a gradient
        penalty with respect to the data, is of no loss."""
        self._gives: defaultdict[int, list[Value]] = defaultdict(list)
        self._loses: defaultdict[int, list[Value]] = defaultdict(list)
        for value in tape.values:
            for parent in value.flows:
                self._gives[id(parent)].append(value)
            for parent in [*value.lost, *value.plain]:
                self._loses[id(parent)].append(value)
        losses = [b for b in tape.backwards if b.only is None or not b.only.isdisjoint(parameters)]
        self.roots = [root for backward in losses or tape.backwards for root in backward.roots]
        if not tape.backwards:  # what a backward would be called on
            self.roots = _scalars(self, tape)
        self._toward = _toward(self.roots)
        self._alive = _alive(self.roots)

    def in_loss(self, value: Value) -> bool:
        """Return whether a loss depends on it, with or without a gradient."""
        return id(value) in self._toward

    def reaches(self, values: Iterable[Value]) -> bool:
        """Return whether a gradient can flow from a loss to one of the values."""
        return any(id(value) in self._alive for value in values)

    def is_end(self, value: Value) -> bool:
        """Return whether nothing with a gradient was made of what carries one."""
        return value.carries and value.node is not None and id(value) not in self._gives

    def used(self, value: Value) -> bool:
        """Return whether anything was made of it."""
        return bool(self.next_of(value))

    def next_of(self, value: Value) -> list[Value]:
        """Return what was made of it, with a gradient or without."""
        return [*self._gives.get(id(value), ()), *self._loses.get(id(value), ())]

    def flow(self, starts: Iterable[Value]) -> list[Value]:
        """Find all that would pass a gradient on to ``starts``, those included, nearest first."""
        found: dict[int, Value] = {id(value): value for value in starts}
        pending = deque(found.values())
        while pending:
            for value in self._gives.get(id(pending.popleft()), ()):
                if id(value) not in found:
                    found[id(value)] = value
                    pending.append(value)
        return list(found.values())

    def cuts(self, flow: Iterable[Value]) -> list[tuple[Value, Value]]:
        """Find where a flow ends on its way to a loss: its last value, and what is next.

        Ways that lead through what was written into a parameter (an average of weights) count
        only where there is no other.
        """
        found = [
            (value, after)
            for value in flow
            if value.carries
            for after in self._loses.get(id(value), ())
            if self.in_loss(after) and any(value is lost for lost in after.lost)
        ]
        direct = [cut for cut in found if not any(v.is_parameter for v in self._on(cut[1]))]
        return sorted(direct or found, key=_rank)

    def way(self, starts: Sequence[Value], through: Value | None = None) -> list[Value]:
        """Find a short way from ``starts`` to a loss, with gradient or without; empty if none."""
        if through is not None:
            return self.between(starts, through) + self._on(through)[1:]
        alive = [value for value in starts if id(value) in self._alive]
        start = next((value for value in alive or starts if self.in_loss(value)), None)
        return [] if start is None else self._on(start)

    def _on(self, value: Value) -> list[Value]:
        way = [value]
        while (after := self._toward.get(id(way[-1]))) is not None:
            way.append(after)
        return way

    def between(self, starts: Sequence[Value], end: Value) -> list[Value]:
        """Find a shortest way from ``starts`` to ``end``; empty if none is."""
        before: dict[int, Value | None] = {id(value): None for value in starts}
        pending = deque(starts)
        while pending:
            value = pending.popleft()
            if value is end:
                return _back(value, before)
            for after in self.next_of(value):
                if id(after) not in before:
                    before[id(after)] = value
                    pending.append(after)
        return []


def _rank(cut: tuple[Value, Value]) -> tuple[bool, int]:
    """Order cuts by time, those last that are beside the way of the gradient.

    So are the indices of ``max`` and the batch sizes of a packed sequence: they have no
    derivative, and come out together with what has one.
    """
    value, after = cut
    made_by = after.made_by
    if made_by is None:
        return False, -1
    beside = not after.floating and any(value in other.flows for other in made_by.outputs)
    return beside, made_by.index


def _scalars(dataflow: Dataflow, tape: Tape) -> list[Value]:
    """Find the numbers at the end of a step, those with a gradient if there are any."""
    made = [v for v in tape.values if v.floating and not v.shape and v.made_by is not None]
    carrying = [value for value in made if dataflow.is_end(value)]
    left = {id(parent) for value, _ in tape.escapes for parent in (*value.lost, *value.plain)}
    last = [v for v in made if not dataflow.next_of(v) or id(v) in left]
    return carrying or last[-1:]


def _toward(roots: Iterable[Value]) -> dict[int, Value | None]:
    """Map the ``id`` of all that a root was made of to what is next on a shortest way to one."""
    found: dict[int, Value | None] = {id(root): None for root in roots}
    pending = deque(roots)
    while pending:
        value = pending.popleft()
        for parent in (*value.flows, *value.lost, *value.plain):
            if id(parent) not in found:
                found[id(parent)] = value
                pending.append(parent)
    return found


def _alive(roots: Iterable[Value]) -> set[int]:
    """Find what a gradient can flow to from the roots, by ``id``."""
    pending = list(roots)
    found = {id(value) for value in pending}
    while pending:
        for parent in pending.pop().flows:
            if id(parent) not in found:
                found.add(id(parent))
                pending.append(parent)
    return found


def _back(value: Value, before: dict[int, Value | None]) -> list[Value]:
    way = [value]
    while (earlier := before[id(way[-1])]) is not None:
        way.append(earlier)
    return way[::-1]
