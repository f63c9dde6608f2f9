"""Waiting for a condition instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_POLL = 0.02


def wait_for(condition: Callable[[], T], timeout: float = 20.0, message: str = "") -> T:
    """Call `condition` until its result is true, and return that; raises `AssertionError` late."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            name = message or getattr(condition, "__name__", repr(condition))
            raise AssertionError(
                f"not within {timeout} seconds: {name} (the last result was {result!r})"
            )
        time.sleep(_POLL)


def wait_until(
    get: Callable[[], T], test: Callable[[T], object], timeout: float = 30.0, message: str = ""
) -> T:
    """Call `get` until `test` of its result is true, and return that result."""
    latest: list[T] = []

    def tried() -> bool:
        latest[:] = [get()]
        return bool(test(latest[0]))

    try:
        wait_for(tried, timeout, message)
    except AssertionError as error:
        raise AssertionError(f"{error}; the last value was {latest!r}") from None
    return latest[0]
