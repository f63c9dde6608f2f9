"""Finds objects of a kind that the script made and never handed to the probe."""

from __future__ import annotations

import gc
from typing import TypeVar

T = TypeVar("T")


def living(kind: type[T]) -> list[T]:
    """Return every living object of ``kind``, a class that is written in Python.

    Those that ``gc.freeze()`` has set aside are not found. Looks at every object of the process,
    which takes tens of milliseconds: for commands, not for steps.

    An instance refers to its class, so that those which do are asked for, and not all objects
    (``gc.get_objects``): these have among them the tuples that other threads are building from
    generators, and CPython raises ``SystemError: bad argument to internal function`` in a thread
    whose unfinished tuple somebody else holds (https://github.com/python/cpython/issues/39117).
    Only a tuple of the class itself is still held.
    """
    kinds = _family(kind)
    known = {id(each) for each in kinds}  # a stranger's metaclass may be unhashable
    return [each for each in gc.get_referrers(*kinds) if id(type(each)) in known]


def _family(kind: type[T]) -> set[type[T]]:
    """A class and all that inherit from it."""
    found = {kind}
    for below in kind.__subclasses__():
        found |= _family(below)
    return found
