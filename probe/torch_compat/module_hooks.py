"""Module hooks that survive a copy or a pickle of the user's model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any


class ModuleHook:
    """A hook that a deep copy or a pickle of its module replaces by one that does nothing.

    ``copy.deepcopy(model)`` and ``torch.save(model)`` take a module's hooks along. A bound
    method would drag the whole run (locks, threads) with it and fail; a momentum copy of
    the model would report as if it were the original. The stand-in is
    ``nullcontext().__exit__``: it takes any arguments, returns None, and needs no Gradgate
    where the pickle is loaded.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    @property
    def owner(self) -> object:
        """The object whose method it calls, if it is a method."""
        return getattr(self._function, "__self__", None)

    def __call__(self, *args: Any) -> Any:
        """Call the function."""
        return self._function(*args)

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (nullcontext(), "__exit__")
