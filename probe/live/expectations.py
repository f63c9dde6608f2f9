"""What ought to train, as the script declared it, and what of that has no useful gradient."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from ..base.errors import TargetError
from ..base.guard import Guard
from ..base.states import State
from ..base.targets import resolve
from ..model.sample import Sample
from ..model.table import ParameterTable
from .alerts import Alert
from .missing import MISSING

PRESENT, ZERO = int(State.PRESENT), int(State.ZERO)
PATIENCE = 2
"""Samples in a row after which an expected parameter that does not train is an alert."""


@dataclass(frozen=True)
class Missed:
    """An expected parameter that the latest sample has without a useful gradient."""

    samples: int
    """In a row."""
    since_step: int
    state: str
    """``absent``, ``zero``, ``frozen`` …, or ``not in optimizer``."""


class Expectations:
    """``attach(..., expect=["encoder.*", "head"])``: what matches must get a useful gradient.

    What a command froze or a gate blocks is somebody's wish, and breaks none.
    """

    def __init__(self, patterns: Sequence[str], table: ParameterTable, guard: Guard) -> None:
        """Raise :class:`TargetError` for a pattern that names nothing."""
        self.patterns = tuple(patterns)
        self._table = table
        self._guard = guard
        for pattern in self.patterns:
            resolve(pattern, table.names)
        self.missed: dict[int, Missed] = {}
        """By parameter, in the order of the table."""
        self._trained = False
        """There was a useful gradient in some sample."""
        self._matched: list[int] = []
        self._edition = -1
        """Of the table whose names the patterns have matched."""

    @property
    def broken(self) -> list[int]:
        """The parameters that have missed for long enough to be alerts."""
        return [index for index, missed in self.missed.items() if missed.samples >= PATIENCE]

    def receive(
        self, sample: Sample, frozen: Collection[int], is_loose: Callable[[int], bool]
    ) -> bool:
        """Take in a sample; return whether a parameter has newly become an alert.

        ``frozen``: by command; ``is_loose``: says whether no optimizer applies a gradient.
        """
        if not self.patterns or sample.skipped or self._is_at_its_least(sample):
            return False
        before, self.missed = self.missed, {}
        new = False
        for index in self.expected(len(sample.states)):
            with self._guard:  # one by one: a fault in one must not hide the others
                if index in sample.waiting:
                    if index in before:
                        self.missed[index] = before[index]
                    continue
                state = _trouble(State(sample.states[index]), index, frozen, is_loose)
                if state is not None:
                    earlier = before.get(index, Missed(0, sample.step, state))
                    missed = Missed(earlier.samples + 1, earlier.since_step, state)
                    self.missed[index] = missed
                    new |= missed.samples == PATIENCE
        return new

    def _is_at_its_least(self, sample: Sample) -> bool:
        """Return whether the loss asks for nothing, as a margin that is met in a whole batch does.

        No parameter gets anything then, and each that was used gets zeros, after others that did.
        """
        useful = bool((sample.states == PRESENT).any())
        self._trained |= useful
        return self._trained and not useful and bool((sample.states == ZERO).any())

    def find(self, *, last: bool) -> Iterator[Alert]:
        """Tell of each that is broken; at the end of a run one sample is reason enough."""
        for index in list(self.missed) if last else self.broken:
            missed = self.missed[index]
            yield Alert(index, self._table.name(index), missed.since_step, missed.state)

    def expected(self, count: int | None = None) -> list[int]:
        """Return what is expected to train, of the first ``count`` parameters or of all."""
        if self._edition != self._table.edition:
            self._matched, self._edition = self._match(), self._table.edition
        return [index for index in self._matched if count is None or index < count]

    def _match(self) -> list[int]:
        found: set[int] = set()
        for pattern in self.patterns:
            with self._guard:
                found.update(self._resolve(pattern))
        return sorted(found - self._table.removed)

    def _resolve(self, pattern: str) -> list[int]:
        try:
            return resolve(pattern, self._table.names)
        except TargetError:  # what it named has left the model
            return []


def _trouble(
    state: State, index: int, frozen: Collection[int], is_loose: Callable[[int], bool]
) -> str | None:
    if state in MISSING or (state is State.FROZEN and index not in frozen):
        return state.word
    return "not in optimizer" if state is State.PRESENT and is_loose(index) else None
