"""Used gradients that need no mark, for the script drops them before anything writes to them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from operator import attrgetter
from threading import get_ident

from torch import nn

from ..base.guard import Guard
from ..torch_compat.before_backward import BeforeBackward

_grad = attrgetter("grad")


class UnmarkedGradients:
    """Puts marks off until ``zero_grad``, which leaves nothing to mark in most loops.

    Only where the ``zero_grad`` of an optimizer has dropped all after its step before. Should a
    backward come first, all are marked before it: nobody could tell later what was there.

    That is the thread's that has made the step alone. The backward of another thread may run while
    that one is in its own, in which the engine writes gradients, and asks for no lock: to read one
    meanwhile would end the process.
    """

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        mark: Callable[[Iterable[int]], None],
        guard: Guard,
    ) -> None:
        """``mark`` marks the gradients of the parameters of these indexes."""
        self._parameters = parameters
        self._mark = mark
        self.waiting: dict[int, Sequence[int]] = {}
        """The parameters of those that have no mark yet, by optimizer."""
        self._dropped: set[int] = set()
        """Optimizers whose latest ``zero_grad`` has dropped all gradients."""
        self._before = BeforeBackward(guard, self.settle)

    def drops(self, k: int) -> bool:
        """Whether ``zero_grad`` of optimizer k dropped all after its latest step."""
        return k in self._dropped

    def put_off(self, k: int, indexes: Sequence[int]) -> bool:
        """Return whether the gradients that optimizer k has used need no mark by now."""
        if k not in self._dropped or not self._before.works:
            return False
        self.waiting[k] = indexes
        self._before.start()
        return True

    def cleared(self, k: int, indexes: Collection[int]) -> None:
        """Take in that ``zero_grad`` of optimizer k has run, and mark what is left.

        ``indexes``: those of which something may be left.
        """
        waiting = self.waiting.pop(k, None)
        if waiting is None and not indexes and k in self._dropped:
            return
        # In C, for it is asked in every step.
        left = set(map(type, map(_grad, map(self._parameters.__getitem__, indexes))))
        if left <= {type(None)}:
            self._dropped.add(k)
        else:
            self._dropped.discard(k)
            self._mark(waiting or ())
        if not self.waiting:
            self._before.stop()

    def settle(self, *optimizers: int) -> None:
        """Mark what waits, of these or all: before ``zero_grad`` came somebody looks at it.

        In another thread than the step's it may be of a backward since, and counts as new.
        """
        for k in optimizers or list(self.waiting):
            if k in self.waiting:
                self._dropped.discard(k)
                indexes = self.waiting.pop(k)
                if get_ident() == self._before.thread:
                    self._mark(indexes)
        if not self.waiting:
            self._before.stop()
