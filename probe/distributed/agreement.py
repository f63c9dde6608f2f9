"""The protocol by which all ranks apply a batch of commands at one step; no store, no thread.

Rank 0, the leader, publishes a batch. The thread of each rank sees it and answers with a *promise*:
the next boundary of its training thread, which the training thread from then on does not pass
before the decision. When all have promised, the latest of the promised boundaries is the step at
which all apply: nobody has passed it, and everybody will come to it. As the threads promise and
not the training threads, a rank that waits for another in the middle of a backward has promised
too, so there is nothing to deadlock on.

It would not be enough that DDP keeps the ranks in step: on an accelerator the host only enqueues
the all-reduce, and can be several steps ahead of what rank 0 publishes.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Batch: TypeAlias = dict[str, Any]
"""Anything that JSON can carry."""

_GRACE = 1.0
"""Seconds that the training thread waits for a decision beyond the patience, at most."""


class Agreement:
    """The batches of one rank: published, promised, due at a step, or called off.

    The training thread publishes and receives; the thread that talks to the other ranks promises
    and decides. Each method may be called in any thread.
    """

    def __init__(self, patience: float) -> None:
        """``patience``: the seconds that a batch waits for all ranks, at most."""
        self._patience = patience
        self._changed = threading.Condition()
        """Guards what follows; told when a promise is redeemed."""
        self._next = 1
        """The boundary that the training thread comes to next, or is in."""
        self._promise: int | None = None
        self._due: deque[tuple[int, Batch]] = deque()
        self._off: list[tuple[Batch, str]] = []
        self._unpublished: deque[tuple[float, Batch]] = deque()
        self._ended: str | None = None
        """Why nothing is agreed on any more."""
        self.decided = 0
        """How many batches were decided, which is the number of the next."""

    # In the training thread.

    def publish(self, batch: Mapping[str, Any]) -> None:
        """Queue a batch for all ranks; if they do not come together, it is called off."""
        with self._changed:
            if self._ended is not None:
                self._off.append((dict(batch), self._ended))
            else:
                self._unpublished.append((time.monotonic() + self._patience, dict(batch)))

    def receive(self, step: int) -> list[Batch]:
        """Return the batches that all ranks apply at the boundary after ``step``.

        It blocks only between this rank's promise and the decision.
        """
        with self._changed:
            self._next = step
            while not self._is_free() and self._await_decision():
                pass
            self._next = step + 1
            due: list[Batch] = []
            while self._due and self._due[0][0] <= step:
                due.append(self._due.popleft()[1])
            return due

    def take_called_off(self) -> list[tuple[Batch, str]]:
        """Return the batches that were not applied anywhere, each with the reason; once."""
        with self._changed:
            off, self._off = self._off, []
            return off

    def decline(self, batches: Sequence[Batch], reason: str) -> None:
        """Call off what was due: no rank applies it."""
        with self._changed:
            self._off += [(batch, reason) for batch in batches]

    # In the thread that talks.

    @property
    def coming(self) -> int:
        """The boundary that the training thread comes to next, or is in."""
        return self._next

    def proposal(self) -> tuple[float, Batch] | None:
        """Return the next batch to publish, with the time until which to try; None without one."""
        with self._changed:
            return self._unpublished[0] if self._unpublished else None

    def take_proposal(self) -> None:
        """Remove the batch that :meth:`proposal` returned: it is published."""
        with self._changed:
            self._unpublished.popleft()

    def promise(self) -> int:
        """Promise the next boundary; a promise that was made stands until the decision."""
        with self._changed:
            # A vote that the store interrupted goes on with the promise that it may have made.
            if self._promise is None:
                self._promise = self._next
            return self._promise

    def decide(self, batch: Batch, step: int) -> None:
        """Redeem the promise: all ranks apply the batch at the boundary after ``step``."""
        with self._changed:
            self._due.append((step, batch))
            self._redeem()

    def decide_against(self, batch: Batch, reason: str) -> None:
        """Redeem the promise: no rank applies the batch."""
        with self._changed:
            self._off.append((batch, reason))
            self._redeem()

    def call_off(self, reason: str) -> None:
        """Give the batch up that :meth:`proposal` returned; nobody has promised anything."""
        with self._changed:
            self._off.append((self._unpublished.popleft()[1], reason))

    def end(self, reason: str) -> None:
        """Let go of the training thread, and call everything off from here on."""
        with self._changed:
            self._ended = reason
            self._promise = None
            self._off += [(batch, reason) for _, batch in self._unpublished]
            self._unpublished.clear()
            self._changed.notify_all()

    def _redeem(self) -> None:
        self.decided += 1
        self._promise = None
        self._changed.notify_all()

    def _is_free(self) -> bool:
        return self._promise is None or self._promise > self._next

    def _await_decision(self) -> bool:
        """Wait until the batch at hand is decided; False when its time is long over."""
        decided = self.decided
        return self._changed.wait_for(
            lambda: self._is_free() or self.decided != decided, self._patience + _GRACE
        )
