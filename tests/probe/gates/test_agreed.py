"""What ranks share for gates, and how often they wait for each other in vain."""

from __future__ import annotations

from typing import Any, cast

from gradgate.probe.distributed.exchange import RanksApart
from gradgate.probe.distributed.ranks import Ranks
from gradgate.probe.gates.agreed import FORGOTTEN_AFTER, AgreedFigures


class Meeting:
    """In place of the ranks: they come together in some steps."""

    leader, size = True, 2

    def __init__(self) -> None:
        self.apart: set[int] = set()
        self.asked: list[int] = []

    def begin(self, step: int) -> None:
        pass

    def share(self, series: str, key: str, value: Any, step: int) -> list[Any]:
        self.asked.append(step)
        if step in self.apart:
            raise RanksApart("rank 1 of 2 did not come to it")
        return [value, value]


def agreed(meeting: Meeting, *, uneven: bool = False) -> AgreedFigures:
    return AgreedFigures(cast(Ranks, meeting), lambda: [], lambda gate: {}, lambda: uneven)


def test_a_rank_that_stays_away_now_and_then_is_waited_for_three_times() -> None:
    """Though it has come in the steps between."""
    meeting = Meeting()
    meeting.apart = {2, 4, 6}
    figures = agreed(meeting)
    found = [figures.lists([7], step) for step in range(1, 10)]
    assert found == [[{7}, {7}], [], [{7}, {7}], [], [{7}, {7}], [], [], [], []]
    assert meeting.asked == [1, 2, 3, 4, 5, 6]


def test_what_is_long_ago_is_forgotten() -> None:
    """A job of weeks may lose a rank for some seconds more than three times."""
    meeting = Meeting()
    steps = [1 + n * (FORGOTTEN_AFTER + 1) for n in range(5)]
    meeting.apart = set(steps)
    figures = agreed(meeting)
    for step in steps:
        assert figures.lists([7], step) == []
        assert figures.lists([7], step + 1) == [{7}, {7}]


def test_under_join_nobody_is_asked() -> None:
    """A rank that has run out of data would never come."""
    meeting = Meeting()
    assert agreed(meeting, uneven=True).lists([7], 1) == []
    assert meeting.asked == []
