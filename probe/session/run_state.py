"""Where a run is: its step, and whether a command can take effect at once."""

from __future__ import annotations

import os
import threading

from ..base.listeners import Listeners
from ..torch_compat.autograd import in_engine_thread


class RunState:
    """The step of a run, moved on at each boundary, and the thread and process that train."""

    def __init__(self) -> None:
        self.step = 0
        """The latest step that has ended."""
        self.between = True
        """Between a boundary and the next forward, when a command can take effect at once."""
        self.attached = True
        self.first_step: Listeners[[]] = Listeners()
        """Called once the first step has begun: one with a closure makes many backwards."""
        self._stepped = False
        self.process = os.getpid()
        self.thread = threading.get_ident()
        """Of the latest step."""

    def begin_step(self) -> None:
        """Take in that an optimizer begins a step, or that one ends which nobody saw begin."""
        if not self._stepped:
            self._stepped = True
            self.first_step.call()

    def begin_boundary(self, *, late: bool) -> None:
        """End a step; ``late``: noticed only after the next backward."""
        self.begin_step()
        self.step += 1
        self.between = not late
        thread = threading.get_ident()
        # In a thread of the engine no script runs that could ask for anything.
        if thread != self.thread and not in_engine_thread():
            self.thread = thread

    def coming_step(self) -> int:
        """Return the step that what happens now belongs to."""
        return self.step if self.between else self.step + 1

    def at_boundary(self) -> bool:
        """Return whether this is the training thread, between a boundary and the next forward."""
        return self.between and self.in_training_thread()

    def in_training_thread(self) -> bool:
        """Return whether this is the thread that has made the latest step."""
        return threading.get_ident() == self.thread

    def trains_elsewhere(self) -> bool:
        """Return whether the latest step was made in another thread, which is still there."""
        there = any(each.ident == self.thread for each in threading.enumerate())
        return there and not self.in_training_thread()

    def in_own_process(self) -> bool:
        """Return whether this is no forked child, which inherits the run and no thread of it."""
        return os.getpid() == self.process
