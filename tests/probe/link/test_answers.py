"""Answers that only the present connection is interested in."""

from __future__ import annotations

from gradgate.probe.link.answers import MOST, Answers


def test_answers_are_taken_once_and_in_order() -> None:
    """What was taken is gone."""
    answers = Answers()
    for number in range(3):
        answers.put({"n": number})
    assert [message["n"] for message in answers.take()] == [0, 1, 2]
    assert list(answers.take()) == []


def test_the_sender_is_woken_for_each_while_it_listens() -> None:
    """Nobody is called once the connection is over."""
    woken: list[int] = []
    answers = Answers()
    answers.listen(lambda: woken.append(1))
    answers.put({})
    answers.put({})
    assert len(woken) == 2
    answers.listen(None)
    answers.put({})
    assert len(woken) == 2


def test_a_new_connection_is_not_told_what_an_earlier_one_asked() -> None:
    """Who asked over a connection that broke waits no longer."""
    answers = Answers()
    answers.put({"n": "old"})
    answers.listen(lambda: None)
    assert list(answers.take()) == []
    answers.put({"n": "new"})
    answers.listen(None)
    assert [message["n"] for message in answers.take()] == ["new"]


def test_the_oldest_are_dropped_where_nobody_reads() -> None:
    """Memory is bounded; whose answer is dropped waits no longer."""
    answers = Answers()
    for number in range(MOST + 5):
        answers.put({"n": number})
    assert [message["n"] for message in answers.take()] == list(range(5, MOST + 5))


def test_a_loop_that_has_ended_wakes_nobody_and_raises_nothing() -> None:
    """The training thread may answer when the link's thread is over already."""

    def ended() -> None:
        raise RuntimeError("Event loop is closed")

    answers = Answers()
    answers.listen(ended)
    answers.put({"n": 1})
    assert [message["n"] for message in answers.take()] == [1]
