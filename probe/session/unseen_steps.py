"""Steps that nobody looks at, from the forward to their end, in as few calls as that takes."""

from __future__ import annotations

from collections.abc import Sized
from threading import get_ident
from typing import Any

from ..measure.backward_timer import BackwardTimer
from ..measure.schedule import SamplingSchedule
from ..torch_compat.autograd import inside_backward
from ..torch_compat.readback import capturing
from .calm_steps import CalmSteps
from .lull import Lull
from .run_state import RunState


class UnseenSteps:
    """Takes a run through steps of a :class:`Lull` in which nobody has anything to do.

    A step takes the place of the probe's code and data in the processor's caches, and each call of
    a function of its own has to get some of them back: on the CPU 2 to 3 µs, with nothing done.
    """

    def __init__(
        self,
        state: RunState,
        lull: Lull,
        timer: BackwardTimer,
        schedule: SamplingSchedule,
        unmarked: Sized,
        calm: CalmSteps,
    ) -> None:
        """``unmarked``: what waits for the ``zero_grad`` of an optimizer; ``calm``: takes steps
        in which nobody does more than measure."""
        self.is_quiet = False
        """Nobody looks at the step that an optimizer makes now."""
        self._state = state
        self._lull = lull
        self._timer = timer
        self._schedule = schedule
        self._unmarked = unmarked
        self._calm = calm

    def begins(self, k: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Return whether nobody else looks at the step of optimizer k, nor has to prepare for it.

        ``args``, ``kwargs``: what the step was called with; a closure computes gradients in it.
        """
        if self.looks_away():
            return True
        return self._calm.begins(k, alone=len(args) + len(kwargs) == 1)

    def looks_away(self) -> bool:
        """Return whether nobody looks at the step that an optimizer begins."""
        self.is_quiet = self._lull.is_quiet
        return self.is_quiet

    def passes(self, k: int) -> bool:
        """End such a step; return False, with nothing done, where that is not all.

        As where its backward was timed, or somebody has ended the lull.
        """
        if not self.is_quiet:
            return self._calm.passes(k)
        state, lull = self._state, self._lull
        step = state.step + 1
        if not (self._timer.rests and lull.lasts(step)):
            return False
        if get_ident() != state.thread or inside_backward() or capturing():
            return False
        state.step, state.between = step, True
        self._schedule.pass_unseen(step)
        return True

    def clears(self, k: int, *, dropped: bool) -> bool:
        """Take in that ``zero_grad`` has run; return whether that is all there is to do.

        As where nobody asks in the coming step about the gradients of optimizer k.
        """
        if self._lull.is_quiet:
            return not self._unmarked
        return dropped and self._lull.is_calm and self._calm.clears(k)
