"""Tells a rank that is slow from one that is gone, or that will not come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from .store import RankStore

Position: TypeAlias = tuple[int, bool]
"""The step that a rank is in, and whether a forward of that step has begun."""


class RollCall:
    """Questions that the threads of the ranks answer, whatever their training threads wait for."""

    def __init__(self, store: RankStore, rank: int, position: Callable[[], Position]) -> None:
        """``position``: of this rank; called in the thread that talks."""
        self._store = store
        self._rank = rank
        self._position = position
        self._answered = 0

    def ask(self) -> int:
        """Ask every rank where it is; return the number of the question."""
        return self._store.count(_QUESTION)

    def answer(self) -> None:
        """Say where this rank is, if anybody has asked since; in the thread that talks."""
        asked = self._store.read_one(_QUESTION)
        if asked is not None and asked > self._answered:
            self._store.write(_answer(self._rank), [asked, *self._position()])
            self._answered = asked

    def answers(self, ranks: Sequence[int], question: int) -> dict[int, Position]:
        """Return where ranks are, of those that have answered the question by now."""
        found = {rank: self._store.read_one(_answer(rank)) for rank in ranks}
        return {
            rank: (said[1], said[2])
            for rank, said in found.items()
            if said is not None and said[0] >= question
        }

    def left(self, ranks: Sequence[int]) -> bool:
        """Return whether one of the ranks did not attach, or has detached."""
        return bool(self._store.without([attendance(rank) for rank in ranks]))


def attendance(rank: int) -> str:
    """Return where in the store it says whether a rank takes part."""
    return f"attended/{rank}"


def _answer(rank: int) -> str:
    return f"roll/{rank}"


_QUESTION = "roll"
