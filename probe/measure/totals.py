"""The total gradient norm of every step that the budget allows, sampled or not."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..base.states import State
from ..model.sample import GRAD_NORM, Sample
from ..model.totals import NONFINITE, SKIPPED, StepTotal, Totals
from ..torch_compat.readback import Readback, capturing
from .allowance import Allowance
from .outliers import Outliers
from .schedule import SamplingSchedule
from .total_looks import Look, TotalLooks

SHARE = 0.2
"""The part of the probe's budget that looks may take where samples take the rest of it."""
MOST_PENDING = 128
"""Norms that may be on their way from a device; nothing is looked at while there are more."""
MOST_STEPS = 500
"""Steps that are sent together, at most."""
LONGEST = 1.0
"""Seconds that a step waits for others to be sent with, at most."""
EARLY = 0.5
"""Seconds before that at which it is sent by a boundary that does all its work."""
FEW_TOGETHER, MOST_TOGETHER = 8, 80
"""Norms that are taken of samples together, where none of them has another step sampled: so many
at a boundary that does all its work, which so many make of any."""


@dataclass
class _Pending:
    """A step whose norm is on its way to the host."""

    step: int
    applied: npt.NDArray[np.bool_]
    """Which parameters an optimizer applied, [parameters]."""
    look: Look | None = None
    """None: the sample of the step has the norms of all gradients."""
    readbacks: Sequence[Readback] = ()
    sample: Sample | None = None

    def ready(self) -> bool:
        if self.look is None:
            return self.sample is not None
        return all(readback.ready() for readback in self.readbacks)


class StepTotals:
    """Follows the total norm of the steps, and has the step after an outlier sampled.

    The norm is what the script's clipping has computed, or that of a sample; in a step without
    either the gradients are looked at, as often as a share of the budget allows.
    """

    def __init__(
        self,
        looks: TotalLooks,
        schedule: SamplingSchedule,
        applied: Callable[[], npt.NDArray[np.bool_]],
        *,
        wanted: bool | None = None,
    ) -> None:
        """``applied``: which parameters an optimizer applies, [parameters].

        ``wanted``: at every step, at none, or, if None, as often as the budget allows.
        """
        self._looks = looks
        self.clips = looks.clips
        """What the script has clipped in the present step, always the same object."""
        self._schedule = schedule
        self._applied = applied
        self._wanted = wanted
        pace = schedule.pace
        share = pace.budget * (SHARE if pace.adapts else 1.0)
        self._allowance = Allowance(share, room=pace.room)
        self._outliers = Outliers()
        self._look: Look | None = None
        """Of the present step; None: it is not looked at, or nobody has asked yet."""
        self._asked = False
        self._clipped = False
        """The script has clipped gradients in the latest step, as far as that was looked at."""
        self._off = False
        self.pending: deque[_Pending] = deque()
        """Norms that are on their way to the host."""
        self._waiting: list[StepTotal] = []
        """What is on the host, and not sent yet."""
        self._send_at = 0.0

    def start(self) -> None:
        """Look from here on: somebody is told."""
        self._looks.follow(needed=self._wanted is not False)

    def stop(self) -> None:
        """Look no more. Idempotent."""
        self._looks.follow(needed=False)

    def switch_off(self) -> None:
        """Look no more, and tell nothing of what was seen."""
        self._off = True
        self.stop()
        self.pending.clear()
        self._waiting.clear()

    def measure(self, k: int | None) -> None:
        """Look at the gradients that optimizer k is about to apply; None: those of no optimizer."""
        if self._off:
            return
        if not self._asked:
            self._asked = True
            self._look = Look() if self._may_look() else None
        if self._look is None:
            return
        if self._schedule.sampling and not self.clips:  # the sample has what no clip has
            self._look.missing |= self._looks.holds(k)
        else:
            began = self._allowance.now()
            self._looks.take(self._look, k)
            self._allowance.pay(began)

    def end_step(self, step: int, *, sampled: bool) -> None:
        """End a step, whose norm is told once it is on the host."""
        if self._off:
            return
        look, self._look, self._asked = self._look, None, False
        self._clipped = bool(self.clips)
        self._looks.end_step()
        if not self._looks.following or (look is None and not sampled):
            return
        if not (self.pending or self._waiting):
            self._send_at = time.monotonic() + LONGEST
        if look is not None and look.norms and not look.missing:
            began = self._allowance.now()
            readbacks = [Readback(norms) for norms in _by_device(look.norms)]
            self._allowance.pay(began)
            self.pending.append(_Pending(step, self._applied(), look, readbacks))
        elif sampled:
            self.pending.append(_Pending(step, self._applied()))

    def receive(self, sample: Sample) -> None:
        """Take in a sample, which may have the norm of its step."""
        lost = False
        for pending in self.pending:
            if pending.step == sample.step:
                pending.sample = sample
            if pending.step >= sample.step:
                break
            lost |= _awaits_sample(pending)
        if lost:  # they come in their order: one from before that is not here was lost
            self.pending = deque(
                each
                for each in self.pending
                if each.step >= sample.step or not _awaits_sample(each)
            )
        if self.pending and self.pending[-1].step == sample.step:
            # Of the latest step a closer look at the optimizers may have told since.
            self.pending[-1].applied = self._applied()
        if sample.has(State.NONFINITE):  # nobody waits for others to be told of that with
            self._send_at = 0.0

    def collect(self, *, wait: bool = False) -> Totals | None:
        """Return what is to be sent now, if anything is; ``wait``: all that there is."""
        if not (wait or self.presses or len(self.pending) >= FEW_TOGETHER):
            return None
        while self.pending and (wait or self.pending[0].ready()):
            total = self._total(self.pending.popleft())
            if total is not None:
                self._take_in(total)
        now = time.monotonic()
        due = wait or len(self._waiting) >= MOST_STEPS or now >= self._send_at - EARLY
        if not (self._waiting and due):
            return None
        steps, self._waiting = self._waiting, []
        return Totals(time.time(), steps)

    @property
    def rests(self) -> bool:
        """Whether there is nothing to look at in the coming steps that the budget allows."""
        if not self._looks.following:
            return True
        return not (self._wanted or self._clipped or self._allowance.covers())

    @property
    def due_at(self) -> float:
        """When what is on the host is to be sent, by ``time.monotonic``; infinite for nothing."""
        return self._send_at if self._waiting else math.inf

    @property
    def presses(self) -> bool:
        """Whether there is a norm to be looked at now, as far as it has arrived.

        An outlier has the coming step sampled, where that is not each step.
        """
        if not self.pending:
            return bool(self._waiting) and time.monotonic() >= self._send_at
        alone = not self._schedule.pace.takes_all or len(self.pending) >= MOST_TOGETHER
        return alone or time.monotonic() >= self._send_at

    def _may_look(self) -> bool:
        if not self._looks.following or capturing() or len(self.pending) >= MOST_PENDING:
            return False
        return bool(self._wanted) or self._schedule.sampling or self._allowance.covers()

    def _take_in(self, total: StepTotal) -> None:
        self._waiting.append(total)
        if self._outliers.receive(total):
            self._schedule.ask(total.step)
            self._send_at = 0.0

    def _total(self, pending: _Pending) -> StepTotal | None:
        look = pending.look
        if look is None:
            sample = pending.sample
            return None if sample is None else _of_sample(sample, pending.applied)
        values = [value for readback in pending.readbacks for value in readback.values().tolist()]
        return _judged(pending.step, math.hypot(*values), look.flags, may_skip=look.may_skip)


def _awaits_sample(pending: _Pending) -> bool:
    return pending.look is None and pending.sample is None


def _of_sample(sample: Sample, applied: npt.NDArray[np.bool_]) -> StepTotal | None:
    """Return the norm of what the optimizers applied; None where that is nothing."""
    counted = applied[: len(sample.states)]
    if sample.waiting:
        counted = counted.copy()
        counted[list(sample.waiting)] = False
    norms = sample.values[GRAD_NORM][: len(counted)][counted].astype(np.float64)
    total = math.sqrt(np.dot(norms, norms))
    if not math.isfinite(total):  # one of them is not, or was not measured
        norms = norms[norms == norms]
        total = math.sqrt(np.dot(norms, norms))
        if _any_nonfinite(sample, counted):
            total = math.nan
    if not len(norms) and not math.isnan(total):
        return None
    return _judged(sample.step, total, SKIPPED * sample.skipped, may_skip=False)


def _any_nonfinite(sample: Sample, counted: npt.NDArray[np.bool_]) -> bool:
    """Return whether one of those that are counted is not finite."""
    if not sample.has(State.NONFINITE):
        return False
    return bool(sample.having(State.NONFINITE)[: len(counted)][counted].any())


def _judged(step: int, norm: float, flags: int, *, may_skip: bool) -> StepTotal:
    if not math.isfinite(norm):
        flags |= NONFINITE | SKIPPED * may_skip
    return StepTotal(step, norm, flags)


def _by_device(norms: Iterable[Tensor]) -> list[list[Tensor]]:
    groups: dict[torch.device, list[Tensor]] = {}
    for norm in norms:
        groups.setdefault(norm.device, []).append(norm)
    return list(groups.values())
