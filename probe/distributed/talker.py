"""The thread of a rank that talks to the others, through the store of the process group."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from ..base.guard import Guard
from .agreement import Agreement, Batch
from .calls import named
from .roll_call import RollCall, attendance
from .store import NotJson, RankStore, StoreError, StoreGone
from .topics import Topics, topic_key

logger = logging.getLogger("gradgate")

_PAUSE = 0.1
"""Seconds between two looks into the store; more when there are many ranks. A rank that has
promised first may wait so long at a boundary, once a batch."""

_LOOKS = 500.0
"""Looks into the store that all ranks together may take in a second."""

_LONGEST_PAUSE = 10.0
_PAUSE_IN_VOTE = 0.001
_OFF = "off"
_FAREWELL = "the leader has left"


class Talker:
    """Publishes and votes for an :class:`Agreement`, and carries :class:`Topics`.

    A rank that waits in vain for promises decides that the batch is off. Of two decisions the
    store keeps the first (``compare_set``), and all obey that.
    """

    def __init__(
        self,
        agreement: Agreement,
        topics: Topics,
        store: RankStore,
        roll_call: RollCall,
        guard: Guard,
        *,
        rank: int,
        size: int,
        patience: float,
    ) -> None:
        self._agreement = agreement
        self._topics = topics
        self._store = store
        self._roll_call = roll_call
        self._guard = guard
        self._rank = rank
        self._size = size
        self._patience = patience
        self._pause = max(_PAUSE, size / _LOOKS)
        self.problem: str | None = None
        """What the store said when it last failed; None while it works."""
        self.left = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gradgate-ranks", daemon=True)

    def start(self) -> None:
        """Begin to talk: the others can see that this rank takes part."""
        self._topics.put_back(attendance(self._rank), True)
        self._thread.start()

    def wake(self) -> None:
        """Look into the store at once: there is something to say."""
        self._wake.set()

    def stop(self) -> None:
        """Talk no more; the others are told. Idempotent, and done in a second at most."""
        self.left = True
        self._wake.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        pause = self._pause
        while not self.left:
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
        self._roll_call.answer()
        for topic in self._topics.wanted():
            self._gather(topic)
        self._propose()
        batch = self._store.read_one(_batch_key(self._agreement.decided))
        if batch == _FAREWELL:
            self.left = True
        elif batch is not None:
            self._vote(batch)

    def _send(self) -> None:
        """Send what was posted, each by itself."""
        while (unsent := self._topics.take_unsent()) is not None:
            self._send_one(*unsent)

    def _send_one(self, key: str, value: object) -> None:
        try:
            self._store.write(key, value)
        except NotJson as error:  # the others are not kept waiting for it
            logger.error("gradgate: %s cannot be sent to the leader: %s", key, error)
        except StoreError:
            self._topics.put_back(key, value)
            raise

    def _gather(self, topic: str) -> None:
        found = self._store.read([topic_key(topic, rank) for rank in range(self._size)])
        if found is not None:
            self._topics.found(topic, dict(enumerate(found)))
            for rank in range(self._size):
                self._store.delete(topic_key(topic, rank))

    def _propose(self) -> None:
        """Publish the next batch once all ranks are there, or give it up."""
        proposal = self._agreement.proposal()
        if proposal is None:
            return
        deadline, batch = proposal
        missing = self._absent()
        if missing and time.monotonic() < deadline:
            return
        if missing:
            reason = (
                f"{named(missing)} of {self._size} did not call attach, or detached, and a "
                "distributed job can be steered only when every rank has a run."
            )
            self._agreement.call_off(reason)
            return
        try:
            self._store.write(_batch_key(self._agreement.decided), batch)
        except NotJson as error:  # the next one is not kept waiting for it
            self._agreement.call_off(f"it cannot be sent to the other ranks: {error}.")
        else:
            self._agreement.take_proposal()

    def _vote(self, batch: Batch) -> None:
        """Promise a boundary, wait for the promises of the others, and decide on the batch."""
        decision, missing = self._decision(self._agreement.promise())
        if decision == _OFF:
            who = named(missing) if missing else "a rank"
            reason = f"{who} of {self._size} did not answer within {self._patience:g} seconds."
            self._agreement.decide_against(batch, reason)
        else:
            self._agreement.decide(batch, decision)
        self._wake.set()  # there may be another

    def _decision(self, promise: int) -> tuple[Any, list[int]]:
        where = _batch_key(self._agreement.decided)
        keys = [f"{where}/{rank}" for rank in range(self._size)]
        self._store.write(keys[self._rank], promise)
        deadline = time.monotonic() + self._patience
        while True:
            promises = self._store.read(keys)
            if promises is not None:
                return self._store.decide(f"{where}/step", max(promises)), []
            decided = self._store.read_one(f"{where}/step")
            if decided is not None:
                return decided, []
            if time.monotonic() > deadline or self.left:
                missing = self._store.without(keys)
                return self._store.decide(f"{where}/step", _OFF), missing
            time.sleep(_PAUSE_IN_VOTE)

    def _end(self) -> None:
        """Let go of the training thread, and tell the others, if they can still be told."""
        self.left = True
        self._agreement.end(
            f"the ranks do not talk any more: {self.problem or 'this run has ended'}."
        )
        if self.problem is not None:
            return
        try:
            self._send()
            self._store.write(attendance(self._rank), False)
            if self._rank == 0:
                self._dismiss()
        except StoreError as error:
            self.problem = str(error)

    def _dismiss(self) -> None:
        """See to it that no rank asks the store any more, which may end with this process.

        Torch prints a long trace where a store's client finds its host gone.
        """
        decided = self._agreement.decided
        if self._store.read_one(_batch_key(decided)) is not None:
            self._store.decide(f"batch/{decided}/step", _OFF)
            decided += 1
        self._store.write(f"batch/{decided}", _FAREWELL)
        deadline = time.monotonic() + 4 * self._pause
        while len(self._absent()) < self._size and time.monotonic() < deadline:
            time.sleep(_PAUSE_IN_VOTE)

    def _absent(self) -> list[int]:
        """Return the ranks that did not attach, or have left."""
        return self._store.without([attendance(rank) for rank in range(self._size)])


def _batch_key(number: int) -> str:
    return f"batch/{number}"
