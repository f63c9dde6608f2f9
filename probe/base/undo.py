"""Does things whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

Restore = Callable[[], None]
"""Puts back a state that was there when it was made."""


@contextmanager
def whole(restores: Iterable[Restore]) -> Iterator[None]:
    """Call every one of ``restores``, in order, where what is done inside raises.

    One that raises itself keeps no other from being called.
    """
    with ExitStack() as undo:
        for restore in reversed(list(restores)):
            undo.callback(restore)
        yield
        undo.pop_all()
