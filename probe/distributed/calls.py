"""Calls that the script makes on every rank, and that are done on all or on none."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..base.errors import CommandError
from .store import RankStore, StoreError

_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.1
"""Seconds between two looks for the same call of the other ranks."""


class CallAgreement:
    """Compares the calls of the ranks, in the training thread, which waits for the others."""

    def __init__(self, store: RankStore, rank: int, size: int) -> None:
        self._store = store
        self._rank = rank
        self._size = size
        self._latest = (0, 0)
        """The step of the latest call, and its number among those of that step."""

    def agree(self, step: int, call: Mapping[str, Any], timeout: float) -> None:
        """Return once every rank has made the same call after ``step``, in the same order.

        Raises :class:`CommandError` on every rank that called when one did not within ``timeout``
        seconds, or called differently; then none of them may do it.
        """
        self._latest = (step, self._latest[1] + 1 if self._latest[0] == step else 1)
        where = f"call/{step}/{self._latest[1]}"
        try:
            self._compare(where, dict(call), timeout)
        except StoreError as error:
            raise CommandError(
                f"the ranks could not agree on {dict(call)}: the store of the process group "
                f"failed ({error}); nothing was done."
            ) from error

    def _compare(self, where: str, call: dict[str, Any], timeout: float) -> None:
        keys = [f"{where}/{rank}" for rank in range(self._size)]
        self._store.write(keys[self._rank], call)
        deadline = time.monotonic() + timeout
        pause = _FIRST_PAUSE
        while (calls := self._store.read(keys)) is None and time.monotonic() < deadline:
            if self._store.read([f"{where}/verdict"]) is not None:
                break
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        alike = calls is not None and all(other == calls[0] for other in calls)
        # Of two verdicts the store keeps the first, and all obey that.
        if self._store.decide(f"{where}/verdict", alike):
            return
        raise CommandError(self._disagreement(keys, call, calls, timeout))

    def _disagreement(
        self, keys: list[str], call: dict[str, Any], calls: list[Any] | None, timeout: float
    ) -> str:
        if calls is None:
            missing = named(self._store.without(keys))
            what = f"{missing} of {self._size} did not make the call within {timeout:g} seconds"
        else:
            others = [rank for rank, other in enumerate(calls) if other != calls[self._rank]]
            what = (
                f"{named(others)} called with {calls[others[0]]} instead"
                if others
                else f"this call came after another rank had waited {timeout:g} seconds for it"
            )
        return (
            f"the ranks do not agree on {call}: {what}. In a distributed job call it on every "
            "rank, after the same step; nothing was done."
        )


def named(ranks: list[int]) -> str:
    """Return ranks as people write them."""
    numbers = ", ".join(map(str, ranks))
    return f"rank {numbers}" if len(ranks) == 1 else f"ranks {numbers}"
