"""Lets the ranks of a distributed job do the same thing at the same step.

Nothing here is a collective operation, so that a probe attached on one rank only cannot make
a job hang. The ranks talk through the store of the default process group, and a thread in each
does the talking: at a boundary the training thread reads memory and makes no round trip. Only
what has to be known in the middle of a step is exchanged by the training threads themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch.distributed as dist

from ..base.errors import AttachError, CommandError
from ..base.guard import Guard
from ..torch_compat.process_group import restarts, world_size
from .agreement import Agreement, Batch
from .calls import CallAgreement
from .exchange import LONGEST_WAIT, Exchange, RanksApart
from .roll_call import Position, RollCall
from .store import RankStore, StoreError, StoreGone
from .store_thread import StoreThread
from .talker import Talker
from .topics import Topics

PATIENCE = 5.0
"""Seconds that a rank waits for the promises of the others, at most."""

AGREE_TIMEOUT = 10.0
"""Seconds that a call made in the script waits for the same call on the other ranks, at most."""

ALIGNED_WITHIN = 20.0
"""Seconds that a rank waits at a boundary for the others to come to the same, at most."""


class Ranks:
    """This rank among those that train together; made by :meth:`join`."""

    def __init__(self, guard: Guard, patience: float) -> None:
        self.rank = dist.get_rank()
        self.size = dist.get_world_size()
        # The k-th run of this rank talks with the k-th run of the others, all of one start.
        start = f"gradgate/{restarts()}.{self.size}"
        counter = RankStore(start)
        counting = StoreThread(counter)
        try:
            number = counting.run(lambda: counter.count(f"attached/{self.rank}"))
        except StoreError as error:
            raise AttachError(
                f"the store of the process group, through which the ranks agree, failed: {error}"
            ) from error
        finally:
            counting.stop()
        store, own = RankStore(f"{start}/{number}"), RankStore(f"{start}/{number}")
        self._thread = StoreThread(own)
        self.agreement = Agreement(patience)
        self._begun = 0
        self._aligned = False
        """Whether all ranks are known to have been after the same step at the same time."""
        self._topics = Topics(self.rank)
        self._calls = CallAgreement(own, self.rank, self.size)
        roll_call = RollCall(store, self.rank, self._position)
        asking = RollCall(own, self.rank, self._position)
        self._exchange = Exchange(own, self.rank, self.size, asking, 2 * patience)
        self._talker = Talker(
            self.agreement,
            self._topics,
            store,
            roll_call,
            guard,
            rank=self.rank,
            size=self.size,
            patience=patience,
        )
        self._talker.start()

    @classmethod
    def join(cls, guard: Guard, patience: float = PATIENCE, *, alone: bool = False) -> Ranks | None:
        """Join the other ranks; None in a job that is not distributed, and where this process
        trains its model ``alone``."""
        if alone or world_size() == 1:
            return None
        return cls(guard, patience)

    @property
    def leader(self) -> bool:
        """Whether this is the rank that talks to the server."""
        return self.rank == 0

    @property
    def problem(self) -> str | None:
        """What the store said when it last failed; None while it works."""
        return self._talker.problem

    def publish(self, batch: Mapping[str, Any]) -> None:
        """Have all ranks :meth:`receive` ``batch`` at one step; on the leader, in any thread.

        If the ranks do not come together, :meth:`called_off` says so.
        """
        self.agreement.publish(batch)
        self._talker.wake()

    def receive(self, step: int) -> list[Batch]:
        """Return the batches that all ranks apply now; call it at every boundary, on every rank.

        ``step`` is the number of the step that has ended, alike on all ranks. It blocks only
        between this rank's promise and the decision, for ``patience`` and a little at most; the
        first time also until all ranks are after that step, :data:`ALIGNED_WITHIN` at most.
        """
        batches = self.agreement.receive(step)
        if batches and not self._aligned:
            try:
                self.share("aligned", str(step), True, step, ALIGNED_WITHIN)
                self._aligned = True
            except RanksApart as error:
                self.agreement.decline(
                    batches,
                    f"the ranks do not count their steps alike: {error}. Attach on every rank "
                    "before the same step, and detach after the same.",
                )
                return []
        return batches

    def called_off(self) -> list[tuple[Batch, str]]:
        """Return the batches that were not applied anywhere, each with the reason; once."""
        return self.agreement.take_called_off()

    def agree(self, step: int, call: Mapping[str, Any], timeout: float = AGREE_TIMEOUT) -> None:
        """Return once every rank has made the same call after ``step``, in the same order.

        For what the script itself calls on every rank and wants at once. Raises
        :class:`CommandError` as :meth:`CallAgreement.agree` does.
        """
        if self._talker.left:
            raise CommandError(
                f"cannot agree on {dict(call)} with the other ranks: "
                f"{self.problem or 'rank 0 has ended its run'}."
            )
        try:
            self._thread.run(lambda: self._calls.agree(step, call, timeout))
        except StoreGone as error:
            raise CommandError(
                f"cannot agree on {dict(call)} with the other ranks: the store of the process "
                f"group failed ({error})."
            ) from error
        self._aligned = True

    def begin(self, step: int) -> None:
        """Take in that the forward of a step has begun on this rank."""
        self._begun = step

    def share(
        self, series: str, key: str, value: object, step: int, longest: float = LONGEST_WAIT
    ) -> list[Any]:
        """Return what every rank has given in ``step``, as :meth:`Exchange.share` does.

        It waits for the other ranks, so what is asked for is asked for on all of them.
        """
        if self._talker.left:
            raise RanksApart(self.problem or "rank 0 has ended its run")
        try:
            return self._thread.run(lambda: self._exchange.share(series, key, value, step, longest))
        except StoreGone as error:
            raise RanksApart(f"the store of the process group failed: {error}") from error

    def post(self, topic: str, value: object) -> None:
        """Tell the leader this rank's outcome of ``topic``; never blocks."""
        self._topics.post(topic, value)
        self._talker.wake()

    def collect(self, topic: str) -> dict[int, Any] | None:
        """Return what every rank has posted on ``topic``, once all have; never blocks.

        The first call asks for it, so call it again at later boundaries until it is there.
        """
        return self._topics.collect(topic)

    def forget(self, topic: str) -> None:
        """Collect a topic no longer, of which a part has not come."""
        self._topics.forget(topic)

    @property
    def talking(self) -> bool:
        """Whether this rank still talks to the others."""
        return not self._talker.left

    def leave(self) -> None:
        """Stop taking part; the others are told. Idempotent, and done in a second at most."""
        self._thread.stop()
        self._talker.stop()

    def _position(self) -> Position:
        step = self.agreement.coming
        return step, self._begun >= step
