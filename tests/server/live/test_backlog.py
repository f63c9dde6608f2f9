"""What is not stored yet: who waits for it, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gradgate.server.live.backlog import Backlog
from tests.support.loops import run_coroutine

PATIENCE = 20.0


async def after(backlog: Backlog, *steps: Callable[[], None]) -> list[bool]:
    """Whether one who waits from the start is let go after each of some steps."""
    waiting = asyncio.create_task(backlog.stored(PATIENCE))
    seen = []
    for step in (lambda: None, *steps):
        step()
        for _ in range(5):
            await asyncio.sleep(0)
        seen.append(waiting.done())
    await waiting
    return seen


def received(seq: int) -> Backlog:
    """A backlog of a run of which so much came."""
    backlog = Backlog()
    backlog.received = seq
    return backlog


def test_one_waits_for_what_came_before_and_no_longer() -> None:
    """What comes while one waits is not waited for, and a part is not all."""

    async def work() -> list[bool]:
        backlog = received(3)

        def more() -> None:
            backlog.received = 5
            backlog.store(2)

        return await after(backlog, more, lambda: backlog.store(3))

    assert run_coroutine(work()) == [False, False, True]


def test_all_who_wait_are_let_go() -> None:
    """Each by what it waits for."""

    async def work() -> list[bool]:
        backlog = received(1)
        first = asyncio.create_task(backlog.stored(PATIENCE))
        await asyncio.sleep(0)
        backlog.received = 2
        second = asyncio.create_task(backlog.stored(PATIENCE))
        await asyncio.sleep(0)
        backlog.store(1)
        await first
        seen = second.done()
        backlog.store(2)
        await second
        return [seen, bool(backlog)]

    assert run_coroutine(work()) == [False, False]


@pytest.mark.parametrize("end", ["give_up", "restart"])
def test_nobody_waits_for_what_is_not_stored_any_more(end: str) -> None:
    """Neither who waits, nor who comes later, until a probe begins anew."""

    async def work() -> list[bool]:
        backlog = received(3)
        ended = backlog.give_up if end == "give_up" else lambda: backlog.restart(1)
        seen = await after(backlog, ended)
        backlog.received = 4
        seen.append(bool(backlog))
        backlog.restart(2)
        backlog.received = 5
        return [*seen, bool(backlog)]

    assert run_coroutine(work()) == [False, True, end == "restart", True]


def test_patience_ends() -> None:
    """A store that takes nothing keeps nobody from what it has."""

    async def work() -> None:
        async with asyncio.timeout(PATIENCE):
            await received(1).stored(0.01)

    run_coroutine(work())
