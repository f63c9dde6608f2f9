"""What came of what in a traced step: followed forward from parameters, and back from the loss."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .tape import BackwardCall, Tape, Value
from .torch_functions import DETACHES, FLAT, LEAVES_TORCH, NO_DERIVATIVE

_BLOCKS = DETACHES | NO_DERIVATIVE | FLAT | {"grad"}
"""What they make hands no gradient on (``grad`` does with ``create_graph``)."""


class Dataflow:
    """Answers what came of what on a tape; made once, after the step."""

    def __init__(self, tape: Tape, parameters: Collection[int] = ()) -> None:
        """``parameters``: their ``id``."""
        self._gives: defaultdict[int, list[Value]] = defaultdict(list)
        self._loses: defaultdict[int, list[Value]] = defaultdict(list)
        self._shows: defaultdict[int, list[Value]] = defaultdict(list)
        for value in tape.values:
            for parents, after in (
                (value.flows, self._gives),
                (value.lost, self._loses),
                (value.plain, self._shows),
            ):
                for parent in parents:
                    after[id(parent)].append(value)
        self._begun = {id(root) for backward in tape.backwards for root in backward.roots}
        self.losses = self._find_losses(tape, parameters)
        """The backwards that are for the parameters: not one for none of them, such as that of a
        gradient penalty with respect to the data, nor that of an inner loop."""
        self.roots = [root for backward in self.losses for root in backward.roots]
        if not self.losses:  # what a backward would be called on
            self.roots = _scalars(self, tape)
        self._toward = _toward(self.roots)
        self.of_sharded = any(value.sharded and self.in_loss(value) for value in tape.values)
        """A loss depends on tensors that are split among ranks."""
        self._alive = [(backward, _alive(backward.roots)) for backward in self.losses]
        self._alive_of_all = _alive(self.roots)

    def _find_losses(self, tape: Tape, parameters: Collection[int]) -> list[BackwardCall]:
        asked = [b for b in tape.backwards if b.only is None or not b.only.isdisjoint(parameters)]
        return [b for b in asked or tape.backwards if not self._is_inner(b, tape)]

    def _is_inner(self, backward: BackwardCall, tape: Tape) -> bool:
        """Return whether the gradients that ``autograd.grad`` returned went into another loss.

        Those that were written into a parameter have served, whatever is made of it later.
        """
        others = (each for each in tape.backwards if each is not backward)
        roots = {id(root) for each in others for root in each.roots}
        found = list(backward.call.outputs)
        seen = set(map(id, found))
        for value in found:  # grows
            if id(value) in roots or (self.is_end(value) and not value.shape):
                return True
            for after in self.next_of(value):
                if id(after) not in seen and not (after.is_parameter and after.over):
                    seen.add(id(after))
                    found.append(after)
        return False

    def in_loss(self, value: Value) -> bool:
        """Return whether a loss depends on it, with or without a gradient."""
        return id(value) in self._toward

    def reaches(self, values: Iterable[Value]) -> bool:
        """Return whether a gradient can flow from a loss to one of the values."""
        return any(id(value) in self._alive_of_all for value in values)

    def losses_of(self, values: Sequence[Value]) -> list[BackwardCall]:
        """Return the backwards from which a gradient can flow to one of the values."""
        return [b for b, alive in self._alive if any(id(value) in alive for value in values)]

    def is_end(self, value: Value) -> bool:
        """Return whether nothing with a gradient was made of what carries one, nor a backward."""
        made = id(value) in self._gives or id(value) in self._begun
        return value.carries and value.node is not None and not made

    def used(self, value: Value) -> bool:
        """Return whether anything was made of it."""
        return bool(self.next_of(value))

    def next_of(self, value: Value) -> list[Value]:
        """Return what was made of it, with a gradient or without."""
        return [
            *self._gives.get(id(value), ()),
            *self._loses.get(id(value), ()),
            *self._shows.get(id(value), ()),
        ]

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

        Those come first behind which the fewest others follow: to mend one is of no use as long
        as the way is cut again. Ways that lead through what was written into a parameter (an
        average of weights) count only where there is no other.
        """
        found = [
            (value, after)
            for value in flow
            if value.carries
            for after in self._loses.get(id(value), ())
            if self.in_loss(after)
        ]
        direct = [cut for cut in found if not any(v.is_parameter for v in self._on(cut[1]))]
        return sorted(direct or found, key=lambda cut: (self._toward[id(cut[1])].cuts, *_rank(cut)))

    def cut_again(self, value: Value) -> list[Value]:
        """Find what cuts the way from ``value`` to a loss once more, were there a gradient."""
        steps = [(each, self._toward[id(each)].cuts) for each in self._on(value)]
        return [after for (_, cuts), (after, left) in pairwise(steps) if cuts > left]

    def way(self, starts: Sequence[Value], through: Value | None = None) -> list[Value]:
        """Find a short way from ``starts`` to a loss, with gradient or without; empty if none."""
        if through is not None:
            return self.between(starts, through) + self._on(through)[1:]
        alive = [value for value in starts if id(value) in self._alive_of_all]
        start = next((value for value in alive or starts if self.in_loss(value)), None)
        return [] if start is None else self._on(start)

    def _on(self, value: Value) -> list[Value]:
        way = [value]
        while (after := self._toward[id(way[-1])].after) is not None:
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


@dataclass(frozen=True)
class _Step:
    """A step of the way from a value to a loss."""

    after: Value | None
    """What is next; None for the loss itself."""
    cuts: int
    """How often the way is cut from here on."""


def _rank(cut: tuple[Value, Value]) -> tuple[bool, int]:
    """Order cuts by time, those last that are beside the way of the gradient.

    So are the indices of ``max`` and the batch sizes of a packed sequence: they have no
    derivative, and come out together with what has one. So are the gradient of an inner loss,
    beside the weights that it changes, and a number, beside tensors.
    """
    value, after = cut
    made_by = after.made_by
    if made_by is None:
        return False, -1
    together = not after.floating and any(value in other.flows for other in made_by.outputs)
    return together or made_by.name in LEAVES_TORCH | {"grad"}, made_by.index


def _blocks(value: Value, parent: Value) -> bool:
    """Return whether a value would hand no gradient on to what it was made of and has none."""
    call = value.made_by
    if call is None or call is parent.made_by or value.flows:  # a flag may have been set since
        return False
    return call.switched_off is not None or not value.floating or call.name in _BLOCKS


def _scalars(dataflow: Dataflow, tape: Tape) -> list[Value]:
    """Find the numbers at the end of a step, those with a gradient if there are any."""
    made = [v for v in tape.values if v.floating and not v.shape and v.made_by is not None]
    carrying = [value for value in made if dataflow.is_end(value)]
    left = {id(parent) for value, _ in tape.escapes for parent in (*value.lost, *value.plain)}
    last = [v for v in made if not dataflow.next_of(v) or id(v) in left]
    return carrying or last[-1:]


def _toward(roots: Iterable[Value]) -> dict[int, _Step]:
    """Map the ``id`` of all that a root was made of to the next step on the way to one.

    That is the way with the fewest cuts, and of those a short one.
    """
    steps: dict[int, _Step] = {}
    behind: list[tuple[Value, Value | None]] = [(root, None) for root in roots]
    cuts = 0
    while behind:
        pending, behind = deque(behind), []
        while pending:
            value, after = pending.popleft()
            if id(value) in steps:
                continue
            steps[id(value)] = _Step(after, cuts)
            pending += [(parent, value) for parent in value.flows]
            behind += [(parent, value) for parent in value.lost]
            for parent in value.plain:
                (behind if _blocks(value, parent) else pending).append((parent, value))
        cuts += 1
    return steps


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
