"""Values that every rank gives in its training thread, and that all have then, or none."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from .calls import named
from .roll_call import RollCall
from .store import RankStore, StoreError

LONGEST_WAIT = 1800.0
"""Seconds that a rank waits for one that has not come to the step yet, at most: as long as a
collective operation of the job's own does, where nobody has said otherwise."""

LEFT_AFTER = 0.5
"""Seconds after which it is looked whether a rank takes part at all."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.0002, 0.02
"""Seconds between two looks for what the other ranks have given."""


class RanksApart(Exception):
    """What was to be decided by the values of all ranks is not: one did not give its own."""


class Exchange:
    """Shares small values between the ranks, in the training thread, which waits for the others.

    No collective operation, which a rank that does not come would leave hanging, and of which
    one rank may see the end and another a failure. Of two verdicts on whether all have come the
    store keeps the first, and all obey that.
    """

    def __init__(
        self, store: RankStore, rank: int, size: int, roll_call: RollCall, patience: float
    ) -> None:
        """``patience``: the seconds after which it is asked where a rank is."""
        self._store = store
        self._rank = rank
        self._size = size
        self._roll_call = roll_call
        self._patience = patience
        self._latest: dict[str, str] = {}
        """The latest value of each series, which can go once the next one is there."""

    def share(
        self, series: str, key: str, value: object, step: int, longest: float = LONGEST_WAIT
    ) -> list[Any]:
        """Return what the ranks have given under a key of ``series``, in ``step``, by rank.

        Raises :class:`RanksApart` on every rank where one did not come: it is gone, it is in a
        later step, or in the midst of one and was not seen for :attr:`patience` (in an earlier
        one it may wait for this rank itself, where it numbers its steps otherwise). A rank that
        has not begun the step yet, since it evaluates or writes a checkpoint, is waited for,
        ``longest`` seconds at most.
        """
        where = f"shared/{series}/{key}"
        try:
            values = self._share(where, value, step, longest)
            self._forget(series, where)
        except StoreError as error:
            raise RanksApart(f"the store of the process group failed: {error}") from error
        return values

    def _share(self, where: str, value: object, step: int, longest: float) -> list[Any]:
        keys = [f"{where}/{rank}" for rank in range(self._size)]
        self._store.write(keys[self._rank], value)
        values = self._await(keys, f"{where}/verdict", step, longest)
        if not self._store.decide(f"{where}/verdict", values is not None):
            missing = self._store.without(keys)
            who = named(missing) if missing else "a rank"
            raise RanksApart(f"{who} of {self._size} did not come to it in step {step}")
        return self._store.read(keys) or [] if values is None else values

    def _await(
        self, keys: Sequence[str], verdict: str, step: int, longest: float
    ) -> list[Any] | None:
        """Return what all have given; None where one will not come, or another rank gave up."""
        pause = _FIRST_PAUSE
        began = asked_at = time.monotonic()
        question: int | None = None
        attended = False
        while (values := self._store.read(keys)) is None:
            now = time.monotonic()
            if not attended and now - began > min(LEFT_AFTER, self._patience):
                attended = True
                if self._roll_call.left(self._store.without(keys)):
                    return None
            if now - began > self._patience and self._store.read_one(verdict) is not None:
                return None
            if now - asked_at > self._patience:
                if now - began > longest or self._is_vain(keys, question, step):
                    return None
                question, asked_at = self._roll_call.ask(), now
            time.sleep(pause)
            pause = min(1.5 * pause, _LONGEST_PAUSE)
        return values

    def _is_vain(self, keys: Sequence[str], question: int | None, step: int) -> bool:
        """Return whether one of those that are missing will not come."""
        missing = self._store.without(keys)
        if self._roll_call.left(missing):
            return True
        if question is None:
            return False
        positions = self._roll_call.answers(missing, question)
        return any(
            begun or coming > step
            for coming, begun in (positions.get(rank, (step, True)) for rank in missing)
        )

    def _forget(self, series: str, where: str) -> None:
        """Remove what was shared before: whoever has given this has read that."""
        before = self._latest.get(series)
        self._latest[series] = where
        if before is not None and before != where:  # which may be asked for once more
            self._store.delete(f"{before}/{self._rank}")
            if self._rank == 0:
                self._store.delete(f"{before}/verdict")
