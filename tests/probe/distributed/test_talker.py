"""The thread that talks, with both ranks in one process, so that each step can be seen."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from gradgate.probe.base.guard import Guard
from gradgate.probe.distributed.agreement import Agreement
from gradgate.probe.distributed.roll_call import RollCall
from gradgate.probe.distributed.store import NotJson, RankStore, StoreGone
from gradgate.probe.distributed.talker import Talker
from gradgate.probe.distributed.topics import Topics
from tests.support.waiting import wait_for

pytestmark = pytest.mark.usefixtures("alone")


class Rank:
    """The parts of a rank of two."""

    def __init__(self, rank: int, patience: float = 20.0) -> None:
        self.agreement = Agreement(patience)
        self.topics = Topics(rank)
        self.talker = Talker(
            self.agreement,
            self.topics,
            RankStore("test"),
            RollCall(RankStore("test"), rank, lambda: (1, False)),
            Guard(),
            rank=rank,
            size=2,
            patience=patience,
        )

    def receive_one(self) -> dict[str, Any]:
        """Pass boundaries until a batch is due."""
        found: list[dict[str, Any]] = []
        steps = iter(range(1, 1_000_000))
        wait_for(lambda: found.extend(self.agreement.receive(next(steps))) or found, message="due")
        return found[0]

    def step_of_one(self, first: int) -> int:
        """Pass boundaries from ``first`` on until a batch is due; return the step of that."""
        passed = first - 1

        def is_due() -> bool:
            nonlocal passed
            passed += 1
            return bool(self.agreement.receive(passed))

        wait_for(is_due, message="due")
        return passed

    def called_off(self) -> tuple[dict[str, Any], str]:
        """Wait for the first batch that is called off."""
        found: list[tuple[dict[str, Any], str]] = []
        wait_for(lambda: found.extend(self.agreement.take_called_off()) or found, message="off")
        return found[0]


@pytest.fixture
def ranks() -> Iterator[tuple[Rank, Rank]]:
    """Two ranks that talk."""
    pair = Rank(0), Rank(1)
    for rank in pair:
        rank.talker.start()
    yield pair
    for rank in pair[::-1]:
        rank.talker.stop()


def test_a_batch_reaches_all_ranks(ranks: tuple[Rank, Rank]) -> None:
    """As it was published."""
    leader, other = ranks
    leader.agreement.publish({"number": 7})
    leader.talker.wake()
    assert leader.receive_one() == {"number": 7}
    assert other.receive_one() == {"number": 7}


def test_a_batch_is_due_after_the_same_step_on_a_rank_that_is_ahead(
    ranks: tuple[Rank, Rank],
) -> None:
    """The latest promise counts: no rank has passed it yet."""
    leader, other = ranks
    ahead = 40
    for step in range(1, ahead + 1):
        other.agreement.receive(step)
    leader.agreement.publish({"number": 7})
    leader.talker.wake()
    step = other.step_of_one(ahead + 1)
    assert step > ahead
    assert leader.step_of_one(1) == step


def test_a_batch_that_cannot_be_sent_takes_no_other_along(ranks: tuple[Rank, Rank]) -> None:
    """It is called off with the reason, and the next one is applied."""
    leader, other = ranks
    leader.agreement.publish({"number": object()})
    leader.agreement.publish({"number": 2})
    leader.talker.wake()
    batch, reason = leader.called_off()
    assert "number" in batch
    assert "cannot be sent to the other ranks" in reason
    assert leader.receive_one() == {"number": 2}
    assert other.receive_one() == {"number": 2}


def test_an_outcome_that_cannot_be_sent_takes_no_other_along(
    ranks: tuple[Rank, Rank], caplog: pytest.LogCaptureFixture
) -> None:
    """It is named in the log, and those behind it arrive."""
    leader, other = ranks
    with caplog.at_level(logging.ERROR, "gradgate"):
        other.topics.post("bad", object())
        for rank in ranks:
            rank.topics.post("good", {"fine": True})
        found: list[Any] = []
        wait_for(
            lambda: found.append(leader.topics.collect("good")) or found[-1], message="collected"
        )
    assert found[-1] == {0: {"fine": True}, 1: {"fine": True}}
    assert "topic/bad/1 cannot be sent" in caplog.text


def test_a_rank_that_is_not_there_is_named() -> None:
    """After the patience, and nobody has promised anything."""
    leader = Rank(0, patience=0.3)
    leader.talker.start()
    leader.agreement.publish({"number": 1})
    leader.talker.wake()
    assert "rank 1 of 2 did not call attach" in leader.called_off()[1]
    assert leader.agreement.decided == 0
    leader.talker.stop()


def test_a_rank_that_left_is_not_waited_for(ranks: tuple[Rank, Rank]) -> None:
    """It has said so."""
    _, other = ranks
    wait_for(lambda: RankStore("test").without(["attended/0", "attended/1"]) == [], message="both")
    other.talker.stop()
    assert RankStore("test").without(["attended/0", "attended/1"]) == [1]


def test_when_the_leader_leaves_the_others_stop(ranks: tuple[Rank, Rank]) -> None:
    """And what is published afterwards is called off."""
    leader, other = ranks
    wait_for(lambda: RankStore("test").without(["attended/0", "attended/1"]) == [], message="both")
    leader.talker.stop()
    wait_for(lambda: other.talker.left, message="left")
    leader.agreement.publish({"number": 1})
    assert "this run has ended" in leader.called_off()[1]


def test_the_store_keeps_the_first_of_two_decisions() -> None:
    """Whoever asks is told that one."""
    store = RankStore("test")
    assert store.decide("step", 4) == 4
    assert store.decide("step", "off") == 4
    assert store.read(["step"]) == [4]
    assert store.read(["step", "other"]) is None


def test_what_json_cannot_carry_is_refused_before_anything_is_done() -> None:
    """Not taken for a store that fails, which would be tried again."""
    store = RankStore("test")
    for value in (object(), {1, 2}):
        with pytest.raises(NotJson, match="is not JSON serializable"):
            store.write("key", value)
        with pytest.raises(NotJson, match="is not JSON serializable"):
            store.decide("key", value)
    assert store.read(["key"]) is None


def test_an_empty_answer_is_no_presence() -> None:
    """A rank that wrote False has left."""
    store = RankStore("test")
    store.write("0", True)
    store.write("1", False)
    assert store.without(["0", "1", "2"]) == [1, 2]
    assert store.without(["0"]) == []


def test_a_group_that_was_destroyed_is_gone_for_good() -> None:
    """Also where another was made since."""
    import torch.distributed as dist

    store = RankStore("test")
    saved = dist.distributed_c10d._world.default_pg
    dist.distributed_c10d._update_default_pg(None)
    try:
        with pytest.raises(StoreGone, match="the process group was destroyed"):
            store.read(["key"])
    finally:
        dist.distributed_c10d._update_default_pg(saved)
