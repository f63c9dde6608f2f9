"""Looks closely at the few parameters that somebody looks at: distributions, with a sample."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..base.guard import Guard
from ..model.distribution import Distribution, Distributions, ParameterDistributions
from ..model.table import ParameterTable, is_uninitialized
from ..torch_compat.readback import capturing
from .counting_pace import CountingPace
from .debt import Debt
from .histogram import PendingDistribution
from .local_part import Sharded, local_part, unreadable
from .pace import Pace
from .write_tracker import WriteTracker

MOST = 16
"""Parameters that are in focus at once, at most."""
SHARE = 0.5
"""What it may take beside the samples, in the probe's budget: somebody waits for it."""
INTERVAL = 0.25
"""Seconds between two looks, at the least: nobody sees more."""
SECONDS = 0.02
"""What one look may take of its step, or the share below of a usual step if that is more."""
STEP_SHARE = 0.05


@dataclass(frozen=True)
class _Wanted:
    """What somebody looks at, and by the clock until when, should nobody say so again."""

    parameters: tuple[int, ...] = ()
    until: float = 0.0


@dataclass
class _Look:
    """A look on its way from the devices."""

    parameters: tuple[int, ...]
    number: int
    seconds: float
    """What it may take of its step."""
    step: int = 0
    time: float = 0.0
    gradients: dict[int, PendingDistribution] = field(default_factory=dict)
    weights: dict[int, PendingDistribution] = field(default_factory=dict)
    stale: set[int] = field(default_factory=set)
    """Of which gradient no backward has written since an earlier step used it."""
    by_hand: set[int] = field(default_factory=set)
    """Of these, which the script itself has written: it is new if it is no zeros."""


class Focus:
    """Takes distributions of the gradients and weights in focus, and of nothing else.

    All but :meth:`watch` is called in the training thread. Nobody waits for a device; what a
    look costs is paid off before the next one. A look takes as many parameters as it has the time
    for, at least one, and those that were looked at longest ago come first. Of a parameter that
    alone would take longer it takes an even sample.
    """

    def __init__(
        self,
        table: ParameterTable,
        writes: WriteTracker,
        pace: Pace,
        guard: Guard,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``pace`` knows what part of a job's time the probe may take, and how long steps are."""
        self._table = table
        self._writes = writes
        self._pace = pace
        self._guard = guard
        self._clock = clock
        self._debt = Debt(SHARE * pace.budget, clock)
        self._counting = CountingPace()
        self._looks = 0
        self._seen_in: dict[int, int] = {}
        """The number of the latest look at each parameter in focus."""
        self._wanted = _Wanted()
        self._waits = False
        """Somebody began to look at something since the latest look."""
        self._due = clock()
        self._look: _Look | None = None
        self._seconds = 0.0
        """What was taken since the last :meth:`take_seconds`."""
        self._pending: deque[_Look] = deque()
        self._off = False

    def watch(self, parameters: Sequence[int], seconds: float) -> None:
        """Look at these parameters and no others, for so many seconds; in any thread."""
        before = self.watched
        self._wanted = _Wanted(tuple(parameters[:MOST]), self._clock() + seconds)
        if set(self.watched) - set(before):
            self._waits = True

    @property
    def watched(self) -> tuple[int, ...]:
        """The parameters that somebody looks at now, as far as is known."""
        wanted = self._wanted
        return wanted.parameters if self._clock() < wanted.until and not self._off else ()

    @property
    def looking(self) -> bool:
        """Whether something is looked at in the present step."""
        return self._look is not None and not capturing()

    def begin(self) -> None:
        """Plan the coming step, which is sampled."""
        self._look = None
        parameters = self.watched
        if parameters and self._may_look():
            self._waits = False
            self._due = self._clock() + INTERVAL
            self._looks += 1
            seconds = max(SECONDS, STEP_SHARE * (self._pace.usual or 0.0))
            chosen = self._chosen(parameters, seconds)
            seen = {index: self._seen_in[index] for index in parameters if index in self._seen_in}
            self._seen_in = seen | dict.fromkeys(chosen, self._looks)
            self._look = _Look(chosen, self._looks, seconds)

    def measure(self, held: Collection[int], grad_scale: Tensor | None = None) -> None:
        """Look at gradients that an optimizer is about to apply; ``held``: by that optimizer.

        ``grad_scale``: the factor that they still carry, a tensor of one element.
        """
        look = self._look
        for index in () if look is None else self._present(look):
            parameter = self._table.parameters[index]
            if index in held and parameter.grad is not None and parameter.requires_grad:
                self.take_gradient(index, parameter.grad, grad_scale)

    def take_gradient(self, index: int, grad: Tensor, grad_scale: Tensor | None = None) -> None:
        """Look at one gradient, if it is in focus; it may be gone right after."""
        look = self._look
        if look is None or capturing() or index not in look.parameters:
            return
        with self._guard, torch.no_grad():
            if not self._writes.is_new(index, grad):
                look.stale.add(index)
                if self._writes.by_hand(grad):
                    look.by_hand.add(index)
            look.gradients[index] = self._count(look, grad, grad_scale)

    def finish(self, step: int, early: Collection[int] = ()) -> None:
        """Look at weights as ``step`` left them, and at gradients that no optimizer has applied.

        ``early``: parameters whose gradients were applied, and are gone or zeros by now.
        """
        look = self._look
        if look is None or capturing():
            self._look = None
            return
        self.measure(set(look.parameters) - look.gradients.keys() - set(early))
        self._look = None
        for index in self._present(look):
            self._take_weight(look, index)
        look.step, look.time = step, time.time()
        self._pending.append(look)

    def collect(self, step: int) -> Distributions | None:
        """Return what the look of ``step`` has shown, if there was one; its sample has arrived."""
        while self._pending and self._pending[0].step <= step:
            look = self._pending.popleft()
            if look.step == step:
                with self._timed():
                    # A page may name what is not there; the server refuses a frame that does.
                    there = range(len(self._table.parameters))
                    seen = [self._read(look, index) for index in look.parameters if index in there]
                return Distributions(step, look.time, seen)
        return None

    @property
    def waits(self) -> bool:
        """Whether somebody began to look at something since the latest look, and still does.

        As soon as a look may be taken: to be asked before would be of no use.
        """
        return self._waits and bool(self.watched) and self._may_look()

    def take_seconds(self) -> float:
        """Return what looks have taken of the training thread's time since the last call."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds

    def stop(self) -> None:
        """Look no more, until somebody wants to again."""
        self._wanted, self._look = _Wanted(), None

    def switch_off(self) -> None:
        """Look no more, whoever wants to."""
        self._off = True
        self.stop()

    def _may_look(self) -> bool:
        """Return whether it is time for a look, and those before are paid off."""
        return self._due <= self._clock() and self._debt.is_paid()

    def _present(self, look: _Look) -> list[int]:
        """Return those of a look that the table has, and that are still in the models."""
        gone = self._table.removed
        return [i for i in look.parameters if i < len(self._table) and i not in gone]

    def _chosen(self, parameters: Sequence[int], seconds: float) -> tuple[int, ...]:
        """Return as many parameters as can be looked at in a time; the first one in any case."""
        chosen: list[int] = []
        for index in sorted(parameters, key=lambda index: self._seen_in.get(index, 0)):
            # Its gradient, and its weight.
            seconds -= 2 * self._foreseen(index)
            if chosen and seconds < 0:
                break
            chosen.append(index)
        return tuple(chosen)

    def _foreseen(self, index: int) -> float:
        """Return the seconds that all numbers of a parameter are likely to take."""
        known = self._table.parameters[index] if index < len(self._table) else None
        if known is None or is_uninitialized(known):
            return 0.0
        return self._counting.seconds(known.device, known.numel())

    def _count(
        self, look: _Look, tensor: Tensor, factor: Tensor | None = None
    ) -> PendingDistribution:
        before = self._seconds
        with self._timed():
            dense = local_part(tensor.detach())
            counted = PendingDistribution(
                dense,
                absent=tensor.numel() - dense.numel() if tensor.is_sparse else 0,
                rows=_has_rows(tensor),
                factor=factor,
                most=self._counting.numbers(dense.device, look.seconds / 2),
                turn=look.number,
            )
        seconds = self._seconds - before
        self._debt.add(self._counting.learn(dense.device, counted.counted, seconds))
        return counted

    def _take_weight(self, look: _Look, index: int) -> None:
        weight = self._table.parameters[index]
        with self._guard, torch.no_grad():
            if is_uninitialized(weight) or unreadable(weight) is not None:
                return
            look.weights[index] = self._count(look, weight)

    def _read(self, look: _Look, index: int) -> ParameterDistributions:
        gradient = self._read_one(look.gradients, index)
        stale = gradient is not None and index in look.stale
        if gradient is not None and index in look.by_hand and gradient.zeros < gradient.numel:
            stale = False
        weight = self._read_one(look.weights, index)
        return ParameterDistributions(index, gradient, stale, weight)

    def _read_one(self, pending: dict[int, PendingDistribution], index: int) -> Distribution | None:
        found: Distribution | None = None
        if index in pending:
            with self._guard:
                found = pending[index].read()
        return found

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Account for a part of a look, also for one that fails."""
        began = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - began
            self._seconds += seconds
            self._debt.add(seconds)


def _has_rows(tensor: Tensor) -> bool:
    """Return whether the rows of what is here are those of the whole tensor."""
    return not tensor.is_sparse and (type(tensor) is Tensor or not isinstance(tensor, Sharded))
