"""What one browser accumulates until it reads."""

from __future__ import annotations

import pytest

from gradgate.server.live.connection import Refused
from gradgate.server.live.subscriber import Subscriber
from gradgate.server.live.topics import COMMANDS, COMMANDS_TOLD, RUN, DistributionsTopic
from gradgate.server.protocol.browser_messages import Watch
from gradgate.server.protocol.probe_messages import Distributions
from tests.support.loops import run_coroutine


def test_a_browser_that_does_not_read_accumulates_the_latest_commands() -> None:
    """As many as it is told of at connect."""

    async def pending() -> frozenset[int]:
        subscriber = Subscriber()
        for number in range(1, 1001):
            subscriber.add(COMMANDS, frozenset({number}))
        return frozenset(subscriber.take()[COMMANDS])

    assert run_coroutine(pending()) == set(range(1001 - COMMANDS_TOLD, 1001))


def test_what_was_taken_is_not_taken_again() -> None:
    """News come once, and the event says whether there are any."""

    async def taken() -> list[object]:
        subscriber = Subscriber()
        subscriber.add(RUN, frozenset())
        before = subscriber.news.is_set()
        return [before, set(subscriber.take()), subscriber.news.is_set(), subscriber.take()]

    assert run_coroutine(taken()) == [True, {RUN}, False, {}]


def test_what_is_not_shown_waits_until_it_is() -> None:
    """It adds up meanwhile; the row of the run comes all the same, as a sign of life."""

    async def taken() -> list[object]:
        subscriber = Subscriber()
        subscriber.watch(Watch(topics=["gates"]))
        for topic, ids in ((RUN, {1}), (COMMANDS, {1}), (COMMANDS, {2})):
            subscriber.add(topic, frozenset(ids))
        hidden = [subscriber.waits(COMMANDS), set(subscriber.take())]
        subscriber.watch(Watch(topics=["commands"]))
        woken = subscriber.news.is_set()
        return [*hidden, woken, subscriber.waits(COMMANDS), subscriber.take()]

    assert run_coroutine(taken()) == [
        False,
        {RUN},
        True,
        True,
        {COMMANDS: frozenset({1, 2})},
    ]


def test_what_is_to_be_sent_later_waits() -> None:
    """The browser has had enough of it for the moment."""

    async def taken() -> list[object]:
        subscriber = Subscriber()
        subscriber.add(RUN, frozenset())
        subscriber.add(COMMANDS, frozenset({1}))
        return [set(subscriber.take(later={COMMANDS})), set(subscriber.take())]

    assert run_coroutine(taken()) == [{RUN}, {COMMANDS}]


def test_distributions_wait_only_of_what_the_page_looks_at() -> None:
    """Also while it shows none of them, and no more once it looks at something else."""

    async def waiting() -> list[object]:
        subscriber, topic = Subscriber(), DistributionsTopic()
        subscriber.watch(Watch(topics=[], focus=[2, 3]))
        for index in (1, 2, 3, 4):
            row = {"parameter": index, "gradient": None, "weight": None}
            frame = {"type": "distributions", "step": 1, "time": 1.0, "parameters": [row]}
            subscriber.add(topic, topic.news(Distributions.model_validate(frame)))
        subscriber.watch(Watch(topics=[], focus=[1, 3]))
        subscriber.watch(Watch(focus=[3, 2, 1]))
        return [list(each) for each in subscriber.take().values()]

    assert run_coroutine(waiting()) == [[3]]


def test_a_browser_that_is_ended_is_told_why() -> None:
    """What waits is not sent any more: the connection closes with the reason."""

    async def take() -> None:
        subscriber = Subscriber()
        subscriber.end("The server failed.")
        assert subscriber.news.is_set()
        subscriber.take()

    with pytest.raises(Refused, match=r"The server failed\.") as refused:
        run_coroutine(take())
    assert refused.value.code == 1011
