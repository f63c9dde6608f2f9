"""Values that ranks give each other in the middle of a step, with the ranks in one process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from gradgate.probe.distributed.exchange import Exchange, RanksApart
from gradgate.probe.distributed.roll_call import Position, RollCall, attendance
from gradgate.probe.distributed.store import RankStore
from tests.support.waiting import wait_for

pytestmark = pytest.mark.usefixtures("alone")
PATIENCE = 0.5


class Rank:
    """One of two ranks: its training thread shares, and another answers for it."""

    def __init__(self, rank: int) -> None:
        self.store = RankStore("test")
        self.position: Position = (1, False)
        self.roll_call = RollCall(self.store, rank, lambda: self.position)
        self.store.write(attendance(rank), True)
        self.exchange = Exchange(self.store, rank, 2, self.roll_call, PATIENCE)
        self._thread = ThreadPoolExecutor(1)
        self._silent = threading.Event()
        self._answering = threading.Thread(target=self._answer)
        self._answering.start()

    def share(self, value: object, step: int = 1, key: str = "a") -> Future[list[Any]]:
        return self._thread.submit(self.exchange.share, "series", key, value, step)

    def fall_silent(self) -> None:
        self._silent.set()
        self._answering.join()

    def end(self) -> None:
        self.fall_silent()
        self._thread.shutdown()

    def _answer(self) -> None:
        while not self._silent.wait(0.01):
            self.roll_call.answer()


@pytest.fixture
def ranks() -> Iterator[list[Rank]]:
    """Both ranks."""
    both = [Rank(0), Rank(1)]
    yield both
    for rank in both:
        rank.end()


def test_both_ranks_get_what_both_gave(ranks: list[Rank]) -> None:
    """By rank; a value of each kind that JSON has, NaN too."""
    first, second = ranks[0].share({"loss": 0.5}), ranks[1].share([float("inf")])
    assert first.result(10) == second.result(10) == [{"loss": 0.5}, [float("inf")]]


def test_what_was_shared_before_is_removed(ranks: list[Rank]) -> None:
    """A job of a million steps leaves no million of keys in the store."""
    for key in ("a", "b", "c"):
        both = [rank.share(1.5, key=key) for rank in ranks]
        assert [each.result(10) for each in both] == [[1.5, 1.5]] * 2
    kept = [key for key in ("a", "b", "c") if ranks[0].store.read_one(f"shared/series/{key}/0")]
    assert kept == ["c"]


def test_a_rank_that_has_not_begun_the_step_is_waited_for(ranks: list[Rank]) -> None:
    """It may evaluate, or write a checkpoint, however long that takes."""
    first = ranks[0].share(1.0)
    asked = ranks[0].store
    wait_for(lambda: (asked.read_one("roll") or 0) >= 2, message="asked again")
    assert not first.done()
    assert ranks[1].share(2.0).result(10) == first.result(10) == [1.0, 2.0]


def test_what_can_be_done_without_is_not_waited_for(ranks: list[Rank]) -> None:
    """Be the other between two steps."""
    with pytest.raises(RanksApart, match="rank 1 of 2 did not come"):
        ranks[0].exchange.share("series", "a", 1.0, 1, PATIENCE)


@pytest.mark.parametrize("position", [(1, True), (2, False), (0, True)])
def test_a_rank_that_will_not_come_is_not(ranks: list[Rank], position: Position) -> None:
    """It is in the midst of a step, somewhere else, or after it: in an earlier one by its own count
    it may itself wait for what this rank does next. What it says later is too late."""
    ranks[1].position = position
    with pytest.raises(RanksApart, match="rank 1 of 2 did not come to it in step 1"):
        ranks[0].share(1.0).result(10)
    with pytest.raises(RanksApart, match="did not come"):
        ranks[1].share(2.0).result(10)
    both = [rank.share(1.0, 3, "b") for rank in ranks]
    assert [each.result(10) for each in both] == [[1.0, 1.0]] * 2


def test_a_rank_that_is_gone_is_not(ranks: list[Rank]) -> None:
    """Its thread does not answer any more."""
    ranks[1].fall_silent()
    with pytest.raises(RanksApart, match="rank 1 of 2"):
        ranks[0].share(1.0).result(10)


def test_a_rank_that_detached_is_not_even_asked(ranks: list[Rank]) -> None:
    """It has said that it takes no part."""
    ranks[1].store.write(attendance(1), False)
    with pytest.raises(RanksApart, match="rank 1 of 2"):
        ranks[0].share(1.0).result(10)
    assert ranks[0].store.read_one("roll") is None
