"""Steps that nobody looks at, from the forward to their end, in as few calls as that takes."""

from __future__ import annotations

from collections.abc import Sized
from threading import get_ident

from ..measure.backward_timer import BackwardTimer
from ..measure.schedule import SamplingSchedule
from ..torch_compat.autograd import inside_backward
from ..torch_compat.readback import capturing
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
    ) -> None:
        """``unmarked``: what waits for the ``zero_grad`` of an optimizer."""
        self.is_quiet = False
        """Nobody looks at the step that an optimizer makes now."""
        self._state = state
        self._lull = lull
        self._timer = timer
        self._schedule = schedule
        self._unmarked = unmarked

    def begins(self, k: int) -> bool:
        """Return whether nobody looks at the step of optimizer k, nor has to prepare for it."""
        self.is_quiet = self._lull.is_quiet
        return self.is_quiet

    def passes(self, k: int) -> bool:
        """End a step that nobody looks at; return False, with nothing done, where that is not all.

        As where its backward was timed, or somebody has ended the lull.
        """
        state, lull = self._state, self._lull
        step = state.step + 1
        if not (self.is_quiet and self._timer.rests and lull.lasts(step)):
            return False
        if get_ident() != state.thread or inside_backward() or capturing():
            return False
        state.step, state.between = step, True
        self._schedule.pass_unseen(step)
        return True

    def clears(self, k: int) -> bool:
        """Return whether nobody asks in the coming step about the gradients of optimizer k."""
        return self._lull.is_quiet and not self._unmarked
