"""What the pages of a run look at, brought together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gradgate.server.live.connection import ProbeConnection
from gradgate.server.live.focus import RunFocus
from gradgate.server.live.subscriber import Subscriber
from gradgate.server.live.topics import FOCUS
from gradgate.server.protocol import limits
from gradgate.server.protocol.browser_messages import FocusChanged, Watch
from tests.server.live.conftest import Socket
from tests.support.loops import run_coroutine


class Told(ProbeConnection):
    """A connection that keeps what the job is told to look at."""

    def __init__(self) -> None:
        super().__init__(Socket().connection()._websocket)
        self.told: list[list[int]] = []

    def focus(self, parameters: list[int], seconds: float) -> None:  # type: ignore[override]
        self.told.append(list(parameters))


def looks(focus: RunFocus, *indexes: int) -> Subscriber:
    """A page that looks at these parameters."""
    page = Subscriber(focus.follow)
    page.watch(Watch(focus=list(indexes)))
    return page


def answer(page: Subscriber) -> FocusChanged | None:
    """What a page is told of its focus."""
    news = page.take()
    return FOCUS.message(news[FOCUS], page.watched) if FOCUS in news else None


def focus_of(parameters: int = 100) -> RunFocus:
    """The focus of a run of so many parameters."""
    focus = RunFocus(asyncio.get_running_loop())
    focus.know(parameters)
    return focus


def with_focus(work: Callable[[RunFocus], None]) -> None:
    """Do something with a focus in a loop of its own."""

    async def start() -> None:
        work(focus_of())

    run_coroutine(start())


def test_a_job_is_told_of_what_all_look_at() -> None:
    """Once for each change, in the order in which they began."""

    def work(focus: RunFocus) -> None:
        job = Told()
        focus.connect(job, 16)
        first, second = looks(focus, 4), looks(focus, 2, 4)
        first.watch(Watch(focus=[4], interval=1.0))
        focus.leave(first)
        second.watch(Watch(focus=[2]))
        second.watch(Watch())
        assert job.told == [[4], [4, 2], [2], []]
        assert answer(second) is None

    with_focus(work)


def test_a_job_that_comes_back_is_told_at_once() -> None:
    """The page knows why nothing was seen meanwhile."""

    def work(focus: RunFocus) -> None:
        page = looks(focus, 3)
        told = answer(page)
        assert told is not None
        assert (told.parameters, "not connected" in str(told.problem)) == ([], True)
        job = Told()
        focus.connect(job, 16)
        assert job.told == [[3]]
        told = answer(page)
        assert told is not None
        assert (told.parameters, told.problem) == ([3], None)
        focus.disconnect()
        told = answer(page)
        assert told is not None
        assert told.parameters == []

    with_focus(work)


def test_a_job_looks_at_no_more_than_it_can() -> None:
    """Whoever came too late is told, and has its turn when somebody looks away."""

    def work(focus: RunFocus) -> None:
        job = Told()
        focus.connect(job, 100)
        first, late = looks(focus, *range(limits.FOCUS)), looks(focus, 50)
        assert job.told == [list(range(limits.FOCUS))]
        told = answer(late)
        assert told is not None
        assert told.parameters == []
        assert "16 parameters of this run are looked at" in str(told.problem)
        focus.leave(first)
        assert job.told[-1] == [50]
        told = answer(late)
        assert told is not None
        assert (told.parameters, told.problem) == ([50], None)

    with_focus(work)


def test_what_was_asked_for_first_stays() -> None:
    """Though an earlier page opens one more parameter, which waits for its turn."""

    def work(focus: RunFocus) -> None:
        job = Told()
        focus.connect(job, 2)
        early, late = looks(focus, 1), looks(focus, 2)
        early.watch(Watch(focus=[1, 3]))
        assert job.told == [[1], [1, 2]]
        told = answer(early)
        assert told is not None
        assert (told.parameters, str(told.problem)[:12]) == ([1], "2 parameters")
        focus.leave(late)
        assert job.told[-1] == [1, 3]

    with_focus(work)


def test_a_parameter_that_the_run_does_not_have_is_not_looked_at() -> None:
    """It takes no place of another's, and the page is told; it is looked at once it is there."""

    def work(focus: RunFocus) -> None:
        job = Told()
        focus.connect(job, 1)
        page = looks(focus, 120, 7)
        assert job.told == [[7]]
        told = answer(page)
        assert told is not None
        assert (told.parameters, "no parameter 120" in str(told.problem)) == ([7], True)
        page.watch(Watch(focus=[120]))
        focus.know(121)
        assert job.told == [[7], [], [120]]

    with_focus(work)


def test_a_probe_that_cannot_look_is_told_nothing() -> None:
    """It would not know the message; the page is told what to do."""

    def work(focus: RunFocus) -> None:
        job = Told()
        focus.connect(job, 0)
        told = answer(looks(focus, 1))
        assert told is not None
        assert "upgrade" in str(told.problem)
        assert job.told == []

    with_focus(work)


def test_a_job_is_told_again_while_somebody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no more once nobody does."""
    monkeypatch.setattr("gradgate.server.live.focus.REPEAT", 0.01)

    async def work() -> list[list[int]]:
        focus, job = focus_of(), Told()
        focus.connect(job, 16)
        page = looks(focus, 1)
        while len(job.told) < 3:
            await asyncio.sleep(0)
        focus.leave(page)
        told = len(job.told)
        due = asyncio.Event()  # after whatever the loop was to do by then
        asyncio.get_running_loop().call_later(0.02, due.set)
        await due.wait()
        assert len(job.told) == told
        return job.told

    told = run_coroutine(work())
    assert told[:3] == [[1], [1], [1]]
    assert told[-1] == []
