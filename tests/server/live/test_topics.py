"""The table of what a page is told."""

from __future__ import annotations

from typing import get_args

from gradgate.server.live.band import Band
from gradgate.server.live.points import Points
from gradgate.server.live.topics import COMMANDS, TOPICS, DirectTopic, LoggedMetrics, Pace, Samples
from gradgate.server.protocol.browser_messages import ToBrowser, Watch
from gradgate.server.protocol.frames import decode
from gradgate.server.protocol.probe_messages import Metrics
from gradgate.server.protocol.totals import Totals
from tests.support.probing import pack_sample


def logged(step: int) -> Points:
    """The points of one frame."""
    frame = Metrics(type="metrics", seq=step, step=step, time=1.0, values={"loss": 1.0})
    return LoggedMetrics().news(frame)


def test_every_message_to_a_page_has_its_topic() -> None:
    """By its type; the samples have a frame instead of a message."""
    union = get_args(get_args(ToBrowser)[0])
    types = [message.model_fields["type"].default for message in union]
    assert sorted(topic.name for topic in TOPICS) == sorted([*types, "samples"])


def test_each_topic_is_made_of_its_news_or_read_from_the_store() -> None:
    """Never both, and the message of a notice says which topic it is."""
    for topic in TOPICS:
        assert isinstance(topic, DirectTopic) != hasattr(topic, "read"), topic.name
        if hasattr(topic, "notice"):
            assert topic.notice.type == topic.name


def test_later_news_stay_as_they_are() -> None:
    """They are shared by every browser of a run."""
    topic, shared = LoggedMetrics(), logged(2)
    for waiting in (None, logged(1)):
        own = topic.merge(waiting, shared)
        own = topic.merge(own, logged(3))
        assert [point.step for point in shared.listed()] == [2]
        assert [point.step for point in own.listed()][-2:] == [2, 3]


def test_news_of_all_that_changed_are_not_narrowed() -> None:
    """Whether the ids come before or behind; other ids add up."""
    everything: frozenset[int] = frozenset()
    for waiting, later, merged in (
        (None, everything, everything),
        (everything, frozenset({1}), everything),
        (frozenset({1}), everything, everything),
        (frozenset({1}), frozenset({2}), frozenset({1, 2})),
    ):
        assert COMMANDS.merge(waiting, later) == merged


def test_total_norms_are_points_of_their_steps() -> None:
    """Beside what was logged, under the name that the store has."""
    norms = [0.5, float("inf")]
    frame = Totals(type="totals", seq=1, time=1.0, steps=[4, 9], norms=norms, flags=[0, 1])
    points = [(point.step, point.values) for point in LoggedMetrics().news(frame).listed()]
    name = "gradgate/total_grad_norm"
    assert points == [(4, {name: 0.5}), (9, {name: None})]


def test_a_page_in_arrears_gets_one_frame_of_all_samples() -> None:
    """With the latest values and the range of those in between."""
    topic, news = Samples(), None
    for seq, norm in enumerate((5.0, 9.0, 1.0), 1):
        news = topic.merge(news, topic.news(decode(pack_sample(seq, seq, [1], {1: [norm]}))))
    assert news is not None
    frame = decode(topic.message(news, Watch()))
    values = {code: numbers.tolist() for code, numbers in frame.values.items()}
    assert (frame.seq, values) == (3, {1: [1.0], 129: [1.0], 130: [9.0]})


def test_what_opens_a_page_comes_in_its_order() -> None:
    """First the row of the run, which alone has a pace."""
    opening = [topic.name for topic in TOPICS if topic.opens]
    assert opening == ["run", "commands", "gates", "alerts", "optimizers", "events"]
    paces = {topic.name: topic.pace for topic in TOPICS if topic.pace is not None}
    assert paces == {"run": Pace(after_news=0.5, without_news=2.0)}


def test_a_page_gets_the_statistics_that_it_shows() -> None:
    """The norm is always there, and its range where a frame stands for several samples."""
    topic = Samples()
    columns = {1: [1.0], 2: [0.5], 3: [0.25], 4: [2.0]}
    one = topic.news(decode(pack_sample(1, 1, [1], columns)))
    two = topic.merge(one, topic.news(decode(pack_sample(2, 2, [1], columns))))

    def codes(news: Band, *wanted: str) -> list[int]:
        return list(decode(topic.message(news, Watch(statistics=list(wanted)))).values)

    assert codes(one) == [1]
    assert codes(one, "update_ratio") == [1, 3]
    assert codes(two) == [1, 129, 130]
    assert codes(two, "weight_norm", "grad_max", "weather") == [1, 129, 130, 2, 4]
