"""Refused sockets in the log: the first, and then how many."""

from __future__ import annotations

import asyncio
import time

import pytest

from gradgate.server.live.refusal_log import RefusalLog
from tests.support.loops import run_coroutine
from tests.support.waiting import wait_for

EVERY = 0.1


def test_the_first_is_told_and_the_others_by_their_number(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A thousand refusals are two lines, the second with the latest; then the log is quiet."""

    async def refuse() -> int:
        log = RefusalLog(EVERY)
        for number in range(1000):
            log.refused(f"number {number}", "policy")
        await asyncio.to_thread(wait_for, lambda: len(caplog.records) == 2)
        (counted,) = log.metric.collect()[0].samples[:1]
        return int(counted.value)

    assert run_coroutine(refuse()) == 1000
    assert [record.getMessage() for record in caplog.records] == [
        "A socket was refused: number 0",
        "999 sockets were refused in 0.1 seconds, the latest: number 999",
    ]
    assert {record.levelname for record in caplog.records} == {"WARNING"}


def test_a_refusal_after_a_quiet_time_is_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody waits for the sentence about a single job that cannot connect."""

    async def refuse() -> None:
        log = RefusalLog(EVERY)
        log.refused("one", "policy")
        later = time.monotonic() + 3 * EVERY
        await asyncio.to_thread(wait_for, lambda: time.monotonic() > later)
        log.refused("two" * 1000, "policy")

    run_coroutine(refuse())
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "A socket was refused: one"
    assert said[1].startswith("A socket was refused: twotwo")
    assert len(said[1]) < 600
