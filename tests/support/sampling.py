"""Which cases of an exhaustive test are run by `make test`; `make test-all` runs every one.

`@pytest.mark.exhaustive(n)` stands on a test with many cases of one mechanism, of which a sample of
n is enough from day to day, or, with 0, on one that takes minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar
from zlib import crc32

import pytest

T = TypeVar("T", bound=pytest.Item)


def sample(cases: Iterable[str], size: int) -> set[str]:
    """Return so many of the cases, by chance, and the same each time.

    Tests that have the same cases have the same sample. A new case takes the place of one at most.
    """
    return set(sorted(set(cases), key=lambda case: (crc32(case.encode()), case))[:size])


def split(items: Sequence[T]) -> tuple[list[T], list[T]]:
    """Return the tests that are run in a sample, in their order, and those that are not."""
    marks = {item.nodeid: item.get_closest_marker("exhaustive") for item in items}
    cases: dict[str, list[str]] = {}
    for item in items:
        if marks[item.nodeid] is not None:
            test, case = _named(item)
            cases.setdefault(test, []).append(case)
    kept: list[T] = []
    left: list[T] = []
    for item in items:
        test, case = _named(item)
        mark = marks[item.nodeid]
        chosen = mark is None or case in sample(cases[test], mark.args[0])
        (kept if chosen else left).append(item)
    return kept, left


def _named(item: pytest.Item) -> tuple[str, str]:
    """A test, and which of its cases."""
    test, _, case = item.nodeid.partition("[")
    return test, case
