"""What `make test` leaves out, so that it ends within ten minutes; `make test-all` runs everything.

Of each file it runs a quarter of the tests (`--sample K`: which one), and the four together have
each. `@pytest.mark.exhaustive(n)` stands on a test with many cases of one mechanism, of which n are
enough from day to day, or, with 0, on one that takes minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar
from zlib import crc32

import pytest

PARTS = 4

T = TypeVar("T", bound=pytest.Item)


def sample(cases: Iterable[str], size: int) -> set[str]:
    """Return so many of the cases, by chance, and the same each time.

    Tests that have the same cases have the same sample. A new case takes the place of one at most.
    """
    return set(sorted(set(cases), key=_chance)[:size])


def part(tests: Iterable[str], k: int) -> set[str]:
    """Return the k-th quarter of a file's tests, by chance and the same each time, one at least.

    A test stays in its quarter whatever others there are, but where a quarter would have none.
    """
    ordered = sorted(set(tests), key=_chance)
    chosen = {test for test in ordered if _number(test) % PARTS == k % PARTS}
    return chosen or {ordered[k % len(ordered)]}


def split(items: Sequence[T], k: int) -> tuple[list[T], list[T]]:
    """Return the tests that are run in the k-th sample, in their order, and those that are not."""
    cases: dict[str, list[str]] = {}
    tests: dict[str, set[str]] = {}
    for item in items:
        test, case = _named(item)
        cases.setdefault(test, []).append(case)
        tests.setdefault(_file(item), set()).add(test)
    chosen = {file: part(tests[file], k) for file in tests}
    kept: list[T] = []
    left: list[T] = []
    for item in items:
        test, case = _named(item)
        mark = item.get_closest_marker("exhaustive")
        runs = test in chosen[_file(item)]
        runs &= mark is None or case in sample(cases[test], mark.args[0])
        (kept if runs else left).append(item)
    return kept, left


def _number(name: str) -> int:
    return crc32(name.encode())


def _chance(name: str) -> tuple[int, str]:
    return _number(name), name


def _named(item: pytest.Item) -> tuple[str, str]:
    """A test, and which of its cases."""
    test, _, case = item.nodeid.partition("[")
    return test, case


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]
