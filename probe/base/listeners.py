"""Joins a part that tells of something with those that listen, whichever of them is made first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec

P = ParamSpec("P")


class Listeners(Generic[P]):
    """Those who are called when something happens: made before all of them, and who calls them."""

    def __init__(self) -> None:
        self._listeners: list[Callable[P, None]] = []

    def add(self, listener: Callable[P, None]) -> None:
        """Call ``listener`` from now on, after those that listen already."""
        self._listeners.append(listener)

    def call(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call every listener, in the order in which they were added."""
        for listener in self._listeners:
            listener(*args, **kwargs)
