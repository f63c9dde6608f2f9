"""Used gradients that need no mark, for the script drops them before anything writes to them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from operator import attrgetter
from threading import get_ident
from typing import Any

from torch import nn

from ..base.guard import Guard
from ..torch_compat.patching import Interceptions, runs_of_autograd, sees_backwards, weakly

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
        self._thread = 0
        """That has made the latest step."""
        self._dropped: set[int] = set()
        """Optimizers whose latest ``zero_grad`` has dropped all gradients."""
        self._backwards = Interceptions(self, guard, [runs_of_autograd(weakly(self._run))])

    def put_off(self, k: int, indexes: Sequence[int]) -> bool:
        """Return whether the gradients that optimizer k has used need no mark by now."""
        if k not in self._dropped or not sees_backwards:
            return False
        self.waiting[k] = indexes
        self._thread = get_ident()
        self._backwards.follow(needed=True)
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
        self._backwards.follow(needed=bool(self.waiting))

    def settle(self, *optimizers: int) -> None:
        """Mark what waits, of these or all: before ``zero_grad`` came somebody looks at it.

        In another thread than the step's it may be of a backward since, and counts as new.
        """
        for k in optimizers or list(self.waiting):
            if k in self.waiting:
                self._dropped.discard(k)
                indexes = self.waiting.pop(k)
                if get_ident() == self._thread:
                    self._mark(indexes)
        self._backwards.follow(needed=bool(self.waiting))

    def _run(self, run: Callable[..., Any], *args: Any, **more: Any) -> Any:
        if get_ident() == self._thread:
            self.settle()
        return run(*args, **more)
