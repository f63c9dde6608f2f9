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
from .debt import Debt
from .histogram import PendingDistribution
from .local_part import Sharded, local_part, unreadable

MOST = 16
"""Parameters that are in focus at once, at most."""
SHARE = 0.5
"""What it may take beside the samples, in the probe's budget: somebody waits for it."""
INTERVAL = 0.25
"""Seconds between two looks, at the least: nobody sees more."""
SECONDS_AN_ELEMENT = 2e-10
"""What counting one number is taken to cost on a device whose time is not seen from here."""


@dataclass(frozen=True)
class _Wanted:
    """What somebody looks at, and by the clock until when, should nobody say so again."""

    parameters: tuple[int, ...] = ()
    until: float = 0.0


@dataclass
class _Look:
    """A look on its way from the devices."""

    parameters: tuple[int, ...] = ()
    step: int = 0
    time: float = 0.0
    gradients: dict[int, PendingDistribution] = field(default_factory=dict)
    weights: dict[int, PendingDistribution] = field(default_factory=dict)


class Focus:
    """Takes distributions of the gradients and weights in focus, and of nothing else.

    All but :meth:`watch` is called in the training thread. Nobody waits for a device; what a
    look costs is paid off before the next one.
    """

    def __init__(
        self,
        table: ParameterTable,
        budget: float,
        guard: Guard,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``budget``: the part of a job's time that the whole probe may take."""
        self._table = table
        self._guard = guard
        self._clock = clock
        self._debt = Debt(SHARE * budget, clock)
        self._wanted = _Wanted()
        self._waits = False
        """Somebody began to look at something since :meth:`take_waits`."""
        self._due = clock()
        self._look: _Look | None = None
        self._seconds = 0.0
        """What was taken since the last :meth:`take_seconds`."""
        self._pending: deque[_Look] = deque()

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
        return wanted.parameters if self._clock() < wanted.until else ()

    @property
    def looking(self) -> bool:
        """Whether something is looked at in the present step."""
        return self._look is not None and not capturing()

    def begin(self) -> None:
        """Plan the coming step, which is sampled."""
        self._look = None
        parameters = self.watched
        if parameters and self._due <= self._clock() and self._debt.is_paid():
            self._due = self._clock() + INTERVAL
            self._look = _Look(parameters)

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
        with self._guard, self._timed(grad), torch.no_grad():
            dense = local_part(grad.detach())
            if grad_scale is not None:
                dense = dense / grad_scale.to(dense.device)
            look.gradients[index] = PendingDistribution(
                dense,
                absent=grad.numel() - dense.numel() if grad.is_sparse else 0,
                rows=_has_rows(grad),
            )

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

    def take_waits(self) -> bool:
        """Return, once, whether somebody began to look at something and has seen nothing yet."""
        waits = self._waits
        if waits:
            self._waits = False
        return waits

    def take_seconds(self) -> float:
        """Return what looks have taken of the training thread's time since the last call."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds

    def stop(self) -> None:
        """Look no more, until somebody wants to again."""
        self._wanted, self._look = _Wanted(), None

    def _present(self, look: _Look) -> list[int]:
        """Return those of a look that the table has, and that are still in the models."""
        gone = self._table.removed
        return [i for i in look.parameters if i < len(self._table) and i not in gone]

    def _take_weight(self, look: _Look, index: int) -> None:
        weight = self._table.parameters[index]
        with self._guard, torch.no_grad():
            if is_uninitialized(weight) or unreadable(weight) is not None:
                return
            with self._timed(weight):
                dense = local_part(weight.detach())
                look.weights[index] = PendingDistribution(
                    dense,
                    absent=weight.numel() - dense.numel() if weight.is_sparse else 0,
                    rows=_has_rows(weight),
                )

    def _read(self, look: _Look, index: int) -> ParameterDistributions:
        return ParameterDistributions(
            index, self._read_one(look.gradients, index), self._read_one(look.weights, index)
        )

    def _read_one(self, pending: dict[int, PendingDistribution], index: int) -> Distribution | None:
        found: Distribution | None = None
        if index in pending:
            with self._guard:
                found = pending[index].read()
        return found

    @contextmanager
    def _timed(self, tensor: Tensor | None = None) -> Iterator[None]:
        """Account for a part of a look, at a tensor."""
        began = time.perf_counter()
        yield
        seconds = time.perf_counter() - began
        self._seconds += seconds
        self._debt.add(seconds)
        if tensor is not None and tensor.device.type != "cpu":
            self._debt.add(SECONDS_AN_ELEMENT * tensor.numel())


def _has_rows(tensor: Tensor) -> bool:
    """Return whether the rows of what is here are those of the whole tensor."""
    return not tensor.is_sparse and (type(tensor) is Tensor or not isinstance(tensor, Sharded))
