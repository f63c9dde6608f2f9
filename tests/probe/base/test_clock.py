"""The clock by which silence is measured."""

from __future__ import annotations

import importlib
import time

import pytest

from gradgate.probe.base import clock


def test_it_goes_on_and_nobody_sets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the time of day is said to be."""
    before = clock.elapsed()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    deadline = time.monotonic() + 0.05
    while time.monotonic() < deadline:
        pass
    assert 0.05 <= clock.elapsed() - before < 20


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="a clock of Linux")
def test_it_counts_what_the_machine_has_slept() -> None:
    """Which the monotonic clock of Linux does not."""
    assert abs(clock.elapsed() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 1


def test_where_there_is_no_such_clock_it_is_the_monotonic(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""
    with monkeypatch.context() as without:
        for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"):
            without.delattr(time, name, raising=False)
        assert abs(importlib.reload(clock).elapsed() - time.monotonic()) < 1
    importlib.reload(clock)
