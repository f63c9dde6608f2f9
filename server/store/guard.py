"""The guard of the server: a fault that nobody foresaw ends the one thing that it happened in."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

R = TypeVar("R")
T = TypeVar("T")

_log = logging.getLogger("gradgate.server")


@contextmanager
def guarded(
    failed: Callable[[Exception], None], passing: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Hand an exception to `failed`, and go on behind the block; those of `passing` go through.

    It stands around one item of several (a run of a batch, a browser of a run, a row of an answer),
    so that the fault of one is told by its name and stays its own.
    """
    try:
        yield
    except passing:
        raise
    except Exception as error:  # noqa: BLE001 - the one broad guard of the server
        failed(error)


def logged(sentence: str, *names: object) -> Callable[[Exception], None]:
    """Return what logs a fault with a sentence that names what failed."""

    def log(error: Exception) -> None:
        _log.error(sentence, *names, exc_info=error)

    return log


def readable(rows: Iterable[R], read: Callable[[R], T], name: Callable[[R], str]) -> list[T]:
    """Read rows; one that cannot be read is logged by its name and left out."""
    found: list[T] = []
    for row in rows:
        with guarded(logged("What is stored of %s cannot be read", name(row))):
            found.append(read(row))
    return found
