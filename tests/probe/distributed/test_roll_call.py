"""Ranks that are asked where they are."""

from __future__ import annotations

import pytest

from gradgate.probe.distributed.roll_call import RollCall, attendance
from gradgate.probe.distributed.store import RankStore

pytestmark = pytest.mark.usefixtures("alone")


def test_a_rank_answers_a_question_once_and_only_when_asked() -> None:
    """With its step; an answer to an earlier question is none."""
    store = RankStore("test")
    asking, asked = RollCall(store, 0, lambda: (9, True)), RollCall(store, 1, lambda: (7, False))
    asked.answer()
    assert asking.answers([1], 0) == {}
    question = asking.ask()
    assert asking.answers([1], question) == {}
    asked.answer()
    assert asking.answers([1], question) == {1: (7, False)}
    assert asking.answers([1], asking.ask()) == {}


def test_a_rank_that_is_not_there_has_left() -> None:
    """It never attached, or has detached."""
    store = RankStore("test")
    roll_call = RollCall(store, 0, lambda: (1, False))
    store.write(attendance(1), True)
    store.write(attendance(2), False)
    assert not roll_call.left([1])
    assert roll_call.left([1, 2])
    assert roll_call.left([3])
