"""Numbers and arrays that left torch, to be known again when they come back."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from .tape import Value

TELLING = 8
"""Digits from which on two equal numbers are the same one: 0.5 may come from anywhere."""
MOST = 64
"""Numbers that are looked at in a list."""


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
