"""How old frames become before the next look."""

from __future__ import annotations

from collections import deque
from itertools import accumulate, repeat

import pytest

from gradgate.probe.link.ages import Ages


def oldest(pauses: list[float]) -> float:
    """How old a frame is at most when it is taken; one is put right after each look."""
    ages, found = Ages(5.0, 0.0), 0.0
    waiting = deque([(1, 0.0)])
    for number, now in enumerate(accumulate(pauses), 2):
        too_old = ages.too_old(now, number - 1)
        while waiting and waiting[0][0] <= too_old:
            found = max(found, now - waiting.popleft()[1])
        waiting.append((number, now))
    return found


@pytest.mark.parametrize(
    ("pauses", "most"),
    [
        ([0.5] * 40, 5.0),
        ([0.8] * 40, 5.0),
        ([2.0] * 20, 5.0),
        ([0.5] * 20 + [1.25] * 10 + [0.5] * 20, 5.75),
    ],
    ids=["in time", "late", "very late", "late for a while"],
)
def test_no_frame_becomes_older_than_it_may(pauses: list[float], most: float) -> None:
    """However late looks come, but for what one comes later than that before it."""
    assert 3.0 < oldest(pauses) <= most + 1e-9


def test_what_is_young_waits() -> None:
    """Of what a server stores in time nothing is written to a disk."""
    ages = Ages(5.0, 0.0)
    looks = enumerate(accumulate(repeat(0.5, 12)), 1)
    assert [ages.too_old(now, number) for number, now in looks] == [0] * 8 + [1, 2, 3, 4]
