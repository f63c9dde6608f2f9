"""Lets the ranks of a distributed job do the same thing at the same step.

Nothing here is a collective operation, so that a probe attached on one rank only cannot make
a job hang. The ranks talk through the store of the default process group, and a thread in each
does the talking: at a boundary the training thread reads memory and makes no round trip.

How a batch of commands finds its step: rank 0, the leader, publishes it. The thread of each rank
sees it and answers with a *promise*: the next boundary of its training thread, which the training
thread from then on does not pass before the decision. When all have promised, the latest of the
promised boundaries is the step at which all apply: nobody has passed it, and everybody will come
to it. As the threads promise and not the training threads, a rank that waits for another in the
middle of a backward has promised too, so there is nothing to deadlock on.

It would not be enough that DDP keeps the ranks in step: on an accelerator the host only enqueues
the all-reduce, and can be several steps ahead of what rank 0 publishes.

A rank that waits in vain for promises decides that the batch is off. Of two decisions the store
keeps the first (``compare_set``), and all obey that.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import torch.distributed as dist

from ..base.errors import AttachError, CommandError
from ..base.guard import Guard
from ..torch_compat.process_group import world_size
from .store import RankStore, StoreError, StoreGone

PATIENCE = 5.0
"""Seconds that a rank waits for the promises of the others, at most."""

AGREE_TIMEOUT = 10.0
"""Seconds that a call made in the script waits for the same call on the other ranks, at most."""

_PAUSE = 0.1
"""Seconds between two looks into the store; more when there are many ranks. A rank that has
promised first may wait so long at a boundary, once a batch."""

_LOOKS = 500.0
"""Looks into the store that all ranks together may take in a second."""

_LONGEST_PAUSE = 10.0
_PAUSE_IN_VOTE = 0.001
_OFF = "off"
_FAREWELL = "the leader has left"


class Ranks:
    """This rank among those that train together; made by :meth:`join`."""

    def __init__(self, guard: Guard, patience: float) -> None:
        self.rank = dist.get_rank()
        self.size = dist.get_world_size()
        self.problem: str | None = None
        """What the store said when it last failed; None while it works."""
        self._guard = guard
        self._patience = patience
        self._pause = max(_PAUSE, self.size / _LOOKS)
        # The k-th run of this rank talks with the k-th run of the others.
        try:
            number = RankStore("gradgate").count(f"attached/{self.rank}")
        except StoreError as error:
            raise AttachError(
                f"the store of the process group, through which the ranks agree, failed: {error}"
            ) from error
        self._store = RankStore(f"gradgate/{number}")
        self._changed = threading.Condition()
        """Guards what follows; told when a promise is redeemed."""
        self._next = 1
        """The boundary that the training thread comes to next, or is in."""
        self._promise: int | None = None
        self._due: deque[tuple[int, dict[str, Any]]] = deque()
        self._off: list[tuple[dict[str, Any], str]] = []
        self._wanted: dict[str, dict[int, Any] | None] = {}
        self._unpublished: deque[tuple[float, dict[str, Any]]] = deque()
        self._unsent: deque[tuple[str, Any]] = deque([(_attendance(self.rank), True)])
        self._batches = 0
        """Batches that were decided."""
        self._calls = (0, 0)
        """The step of the latest agreed call, and its number among those of that step."""
        self._wake = threading.Event()
        self._left = False
        self._thread = threading.Thread(target=self._run, name="gradgate-ranks", daemon=True)
        self._thread.start()

    @classmethod
    def join(cls, guard: Guard, patience: float = PATIENCE) -> Ranks | None:
        """Join the other ranks; None in a job that is not distributed."""
        if world_size() == 1:
            return None
        return cls(guard, patience)

    @property
    def leader(self) -> bool:
        """Whether this is the rank that talks to the server."""
        return self.rank == 0

    def publish(self, batch: Mapping[str, Any]) -> None:
        """Have all ranks :meth:`receive` ``batch`` at one step; on the leader, in any thread.

        ``batch`` is anything that JSON can carry. If the ranks do not come together,
        :meth:`called_off` says so.
        """
        with self._changed:
            if self._left:
                self._off.append(
                    (
                        dict(batch),
                        f"the ranks do not talk any more: {self.problem or 'this run has ended'}.",
                    )
                )
            else:
                self._unpublished.append((time.monotonic() + self._patience, dict(batch)))
        self._wake.set()

    def receive(self, step: int) -> list[dict[str, Any]]:
        """Return the batches that all ranks apply now; call it at every boundary, on every rank.

        ``step`` is the number of the step that has ended, alike on all ranks. It blocks only
        between this rank's promise and the decision, for ``patience`` and a little at most.
        """
        with self._changed:
            self._next = step
            while not self._is_free() and self._await_decision():
                pass
            self._next = step + 1
            due: list[dict[str, Any]] = []
            while self._due and self._due[0][0] <= step:
                due.append(self._due.popleft()[1])
            return due

    def called_off(self) -> list[tuple[dict[str, Any], str]]:
        """Return the batches that were not applied anywhere, each with the reason; once."""
        with self._changed:
            off, self._off = self._off, []
            return off

    def agree(self, step: int, call: Mapping[str, Any], timeout: float = AGREE_TIMEOUT) -> None:
        """Return once every rank has made the same call after ``step``, in the same order.

        For what the script itself calls on every rank and wants at once. Raises
        :class:`CommandError` on every rank that called when one did not within ``timeout``
        seconds, or called differently; then none of them may do it.
        """
        if self._left:
            raise CommandError(
                f"cannot agree on {dict(call)} with the other ranks: "
                f"{self.problem or 'rank 0 has ended its run'}."
            )
        self._calls = (step, self._calls[1] + 1 if self._calls[0] == step else 1)
        where = f"call/{step}/{self._calls[1]}"
        try:
            self._agree(where, dict(call), timeout)
        except StoreError as error:
            raise CommandError(
                f"the ranks could not agree on {dict(call)}: the store of the process group "
                f"failed ({error}); nothing was done."
            ) from error

    def post(self, topic: str, value: object) -> None:
        """Tell the leader this rank's outcome of ``topic``; never blocks."""
        with self._changed:
            self._unsent.append((f"topic/{topic}/{self.rank}", value))
        self._wake.set()

    def collect(self, topic: str) -> dict[int, Any] | None:
        """Return what every rank has posted on ``topic``, once all have; never blocks.

        The first call asks for it, so call it again at later boundaries until it is there.
        """
        with self._changed:
            found = self._wanted.setdefault(topic, None)
            if found is not None:
                del self._wanted[topic]
            return found

    def leave(self) -> None:
        """Stop taking part; the others are told. Idempotent, and done in a second at most."""
        self._left = True
        self._wake.set()
        self._thread.join(1.0)

    # In the thread that talks.

    def _run(self) -> None:
        pause = self._pause
        while not self._left:
            with self._guard:
                try:
                    self._talk()
                    self.problem, pause = None, self._pause
                except StoreGone as error:
                    self.problem = str(error)
                    break
                except StoreError as error:
                    self.problem, pause = str(error), min(2 * pause, _LONGEST_PAUSE)
            self._wake.wait(pause)
            self._wake.clear()
        with self._guard:
            self._end()

    def _talk(self) -> None:
        self._send()
        for topic in [topic for topic, found in list(self._wanted.items()) if found is None]:
            self._gather(topic)
        if self._unpublished:
            self._propose()
        batch = self._store.read([f"batch/{self._batches}"])
        if batch == [_FAREWELL]:
            self._left = True
        elif batch is not None:
            self._vote(batch[0])

    def _send(self) -> None:
        while self._unsent:  # only this thread takes from it
            self._store.write(*self._unsent[0])
            self._unsent.popleft()

    def _end(self) -> None:
        """Let go of the training thread, and tell the others, if they can still be told."""
        with self._changed:
            self._left = True
            self._promise = None
            reason = f"the ranks do not talk any more: {self.problem or 'this run has ended'}."
            self._off += [(batch, reason) for _, batch in self._unpublished]
            self._unpublished.clear()
            self._changed.notify_all()
        if self.problem is not None:
            return
        try:
            self._unsent.append((_attendance(self.rank), False))
            self._send()
            if self.leader:
                self._dismiss()
        except StoreError as error:
            self.problem = str(error)

    def _dismiss(self) -> None:
        """See to it that no rank asks the store any more, which may end with this process.

        Torch prints a long trace where a store's client finds its host gone.
        """
        if self._store.read([f"batch/{self._batches}"]) is not None:
            self._store.decide(f"batch/{self._batches}/step", _OFF)
            self._batches += 1
        self._store.write(f"batch/{self._batches}", _FAREWELL)
        deadline = time.monotonic() + 4 * self._pause
        while len(self._without(_attendance)) < self.size and time.monotonic() < deadline:
            time.sleep(_PAUSE_IN_VOTE)

    def _gather(self, topic: str) -> None:
        found = self._store.read([f"topic/{topic}/{rank}" for rank in range(self.size)])
        if found is not None:
            with self._changed:
                self._wanted[topic] = dict(enumerate(found))

    def _propose(self) -> None:
        """Publish the next batch once all ranks are there, or give it up."""
        deadline, batch = self._unpublished[0]
        missing = self._without(_attendance)
        if missing and time.monotonic() < deadline:
            return
        self._unpublished.popleft()
        if missing:
            reason = (
                f"{_listed(missing)} of {self.size} did not call attach, or detached, and a "
                "distributed job can be steered only when every rank has a run."
            )
            with self._changed:
                self._off.append((batch, reason))
        else:
            self._store.write(f"batch/{self._batches}", batch)

    def _vote(self, batch: dict[str, Any]) -> None:
        """Promise a boundary, wait for the promises of the others, and settle the batch."""
        with self._changed:
            # A vote that the store interrupted goes on with the promise that it may have made.
            if self._promise is None:
                self._promise = self._next
            promise = self._promise
        decision, missing = self._decision(promise)
        with self._changed:
            if decision == _OFF:
                who = _listed(missing) if missing else "a rank"
                reason = f"{who} of {self.size} did not answer within {self._patience:g} seconds."
                self._off.append((batch, reason))
            else:
                self._due.append((decision, batch))
            self._batches += 1
            self._promise = None
            self._changed.notify_all()
        self._wake.set()  # there may be another

    def _decision(self, promise: int) -> tuple[Any, list[int]]:
        where = f"batch/{self._batches}"
        self._store.write(f"{where}/{self.rank}", promise)
        deadline = time.monotonic() + self._patience
        while True:
            promises = self._store.read([f"{where}/{rank}" for rank in range(self.size)])
            if promises is not None:
                return self._store.decide(f"{where}/step", max(promises)), []
            decided = self._store.read([f"{where}/step"])
            if decided is not None:
                return decided[0], []
            if time.monotonic() > deadline or self._left:
                missing = self._without(lambda rank: f"{where}/{rank}")
                return self._store.decide(f"{where}/step", _OFF), missing
            time.sleep(_PAUSE_IN_VOTE)

    # In either thread.

    def _agree(self, where: str, call: dict[str, Any], timeout: float) -> None:
        keys = [f"{where}/{rank}" for rank in range(self.size)]
        self._store.write(keys[self.rank], call)
        deadline = time.monotonic() + timeout
        pause = _PAUSE_IN_VOTE
        while (calls := self._store.read(keys)) is None and time.monotonic() < deadline:
            if self._store.read([f"{where}/verdict"]) is not None:
                break
            time.sleep(pause)
            pause = min(2 * pause, _PAUSE)
        alike = calls is not None and all(other == calls[0] for other in calls)
        if self._store.decide(f"{where}/verdict", alike):
            return
        raise CommandError(self._disagreement(where, call, calls, timeout))

    def _disagreement(
        self, where: str, call: dict[str, Any], calls: list[Any] | None, timeout: float
    ) -> str:
        if calls is None:
            missing = _listed(self._without(lambda rank: f"{where}/{rank}"))
            what = f"{missing} of {self.size} did not make the call within {timeout:g} seconds"
        else:
            others = [rank for rank, other in enumerate(calls) if other != calls[self.rank]]
            what = (
                f"{_listed(others)} called with {calls[others[0]]} instead"
                if others
                else f"this call came after another rank had waited {timeout:g} seconds for it"
            )
        return (
            f"the ranks do not agree on {call}: {what}. In a distributed job call it on every "
            "rank, after the same step; nothing was done."
        )

    def _without(self, key: Callable[[int], str]) -> list[int]:
        """The ranks that have nothing, or only a False, at ``key(rank)``."""
        found = self._store.read([key(rank) for rank in range(self.size)])
        if found is None:
            read = [self._store.read([key(rank)]) for rank in range(self.size)]
            found = [False if value is None else value[0] for value in read]
        return [rank for rank, value in enumerate(found) if value is False]

    def _is_free(self) -> bool:
        return self._promise is None or self._promise > self._next

    def _await_decision(self) -> bool:
        """Wait until the batch at hand is decided; False when its time is long over."""
        batches = self._batches
        return self._changed.wait_for(
            lambda: self._is_free() or self._batches != batches, self._patience + 1.0
        )


def _attendance(rank: int) -> str:
    return f"attended/{rank}"


def _listed(ranks: list[int]) -> str:
    names = ", ".join(map(str, ranks))
    return f"rank {names}" if len(ranks) == 1 else f"ranks {names}"
