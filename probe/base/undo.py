"""Does things whole or not at all, and undoes what was done whatever comes in between."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any, Protocol

from .guard import Guard, GuardedHook

Restore = Callable[[], None]
"""Puts back a state that was there when it was made."""


class whole:
    """Call every one of ``restores``, in order, where what is done inside raises.

    One that raises itself keeps no other from being called.
    """

    def __init__(self, restores: Iterable[Restore]) -> None:
        self._restores = list(restores)

    def __enter__(self) -> None:
        """Do what is done inside."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put back, if it has raised."""
        if kind is not None:
            undo = ExitStack()
            for restore in reversed(self._restores):
                undo.callback(restore)
            undo.__exit__(kind, error, traceback)  # one that raises then has what was raised first


class Removable(Protocol):
    """What torch returns where a hook is registered."""

    def remove(self) -> None:
        """Remove the hook. Idempotent."""


class Handles:
    """The handles of hooks that are removed together.

    Each is known before the next is registered: one that cannot be leaves none behind.
    """

    def __init__(self) -> None:
        self._handles: list[Removable] = []

    def __bool__(self) -> bool:
        return bool(self._handles)

    def add(self, register: Callable[..., Removable], /, *args: Any, **named: Any) -> None:
        """Register a hook."""
        self._handles.append(register(*args, **named))

    def remove(self) -> None:
        """Remove every hook. Idempotent; what is left where it is interrupted can be removed."""
        while self._handles:
            self._handles[-1].remove()
            self._handles.pop()


class Undo:
    """Undoes something when it is called, or once an object is collected that was to call it.

    What undoes it may be done again: it is where it fails, or is interrupted.
    """

    def __init__(
        self, guard: Guard, owner: object, undo: Callable[..., object], /, *args: Any
    ) -> None:
        """``undo`` and ``args`` lead to no ``owner``, which would never be collected else."""
        self._undo = partial(undo, *args)
        self._finalizer = weakref.finalize(owner, GuardedHook(guard, undo), *args)
        self._finalizer.atexit = False

    @property
    def is_due(self) -> bool:
        """Whether it is still to be undone."""
        return self._finalizer.alive

    def __call__(self) -> None:
        """Undo it, once."""
        if self.is_due:
            self._undo()
            self._finalizer.detach()
