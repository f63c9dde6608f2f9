"""Numbers and arrays that left torch, to be known again when they come back."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import numpy as np

from ..base.source import Chain
from .tape import Tape, Value
from .torch_functions import COMPUTES
from .variables import Variables

T = TypeVar("T")

TELLING = 8
"""Digits from which on two equal numbers are the same one: 0.5 may come from anywhere."""
MOST = 64
"""Numbers that are looked at in a list."""
MOST_OF_LINE = 1000
"""Numbers of one line that are joined with what another line was given."""
_FRACTIONS = (float, complex, np.inexact, np.ndarray)
_ALL = (*_FRACTIONS, int, np.integer)


class EscapedNumbers:
    """Remembers what each number or array was, as long as the trace lasts."""

    def __init__(self) -> None:
        self._numbers: dict[float, Value] = {}
        self._arrays: dict[int, tuple[weakref.ref[Any], Value]] = {}

    def __bool__(self) -> bool:
        return bool(self._numbers or self._arrays)

    def add(self, made: Any, value: Value) -> None:
        """Remember ``made`` as what a value was turned into."""
        if isinstance(made, np.ndarray):
            self._arrays[id(made)] = (weakref.ref(made), value)
        for number in _numbers(made):
            if len(repr(number)) > TELLING:
                self._numbers[number] = value

    def sources(self, given: Any) -> list[Value]:
        """Return the values that numbers or an array came from."""
        found: dict[int, Value] = {}
        for array in _arrays(given):
            entry = self._arrays.get(id(array))
            if entry is not None and entry[0]() is array:
                found[id(entry[1])] = entry[1]
        for number in _numbers(given):
            value = self._numbers.get(number)
            if value is not None:
                found[id(value)] = value
        return list(found.values())


def are_among(given: Iterable[Any], name: str) -> bool:
    """Return whether a call of this name is given numbers from the script that matter.

    Whole ones are sizes and places, but for where they are computed with.
    """
    kinds = _ALL if name in COMPUTES else _FRACTIONS
    items = [each for item in given for each in (item if isinstance(item, list) else [item])]
    return any(isinstance(each, kinds) and not isinstance(each, bool) for each in items)


def join_by_variables(tape: Tape) -> None:
    """Join numbers that came in with those that left before, where the script's variables lead.

    What was computed with numbers is none of those that left, and is not known by its value.
    """
    variables = Variables()
    lefts = _by_line(tape.escapes, lambda escape: escape[1].chain)
    for entries in _by_line(tape.entries, lambda entry: entry.chain):
        for escapes in lefts:
            if not variables.lead(escapes[0][1].chain, entries[0].chain):
                continue
            for entry in entries:
                before = [value for value, call in escapes if call.index < entry.index]
                for value in entry.values:
                    value.plain += before[-MOST_OF_LINE:]


def _by_line(items: Iterable[T], chain: Callable[[T], Chain]) -> list[list[T]]:
    """Group items by the lines that their chains went through."""
    groups: dict[tuple[tuple[int, int], ...], list[T]] = {}
    for item in items:
        key = tuple((id(code), line) for code, line in chain(item).frames)
        groups.setdefault(key, []).append(item)
    return list(groups.values())


def _arrays(given: Any) -> Iterator[Any]:
    while isinstance(given, np.ndarray):
        yield given
        given = given.base


def _numbers(given: Any) -> Iterator[float]:
    pending, seen = [given], 0
    while pending and seen < MOST:
        item = pending.pop()
        seen += 1
        if isinstance(item, (float, np.floating)):
            yield float(item)
        elif isinstance(item, (list, tuple)):
            pending += item[:MOST]
