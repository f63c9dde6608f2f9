"""Custom autograd functions that are applied, told of while somebody listens.

Who keeps ``MyFunction.apply`` under a name of his own is not seen by replacing ``apply``; each
call of it looks ``forward`` and ``setup_context`` up in the class, though.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch.autograd import Function

from ..base.guard import Guard
from .parts import Part
from .patching import Interception, listen_to

_FORWARD_CLASS = Part(
    "torch.autograd.Function._backward_cls._forward_cls",
    otherwise="no backward of a custom function is compared with finite differences",
)
"""Of the class of a function's nodes, the function; seen in torch 2.8 to 2.15."""
PARTS = (_FORWARD_CLASS,)

Listener = Callable[[type[Function], Any, tuple[Any, ...], Any], None]
"""Told the class, the node, what the function was given, and what it made of that."""


class CustomFunctions:
    """Listens to all custom functions there are, but for torch's own."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._listening: list[Interception] = []

    def start(self, guard: Guard | None = None) -> None:
        """Tell the listener of every call until :meth:`stop`."""
        for kind in () if _FORWARD_CLASS.missing else _below(Function):
            if kind.__module__.partition(".")[0] == "torch":
                continue
            new_style = kind.setup_context is not Function.setup_context
            name, note = ("setup_context", self._set_up) if new_style else ("forward", self._ran)
            if isinstance(vars(kind).get(name), staticmethod):
                interception = listen_to(kind, name, note, static=True)
                interception.start(guard)
                self._listening.append(interception)

    def stop(self) -> None:
        """Listen no longer."""
        for interception in self._listening:
            interception.stop()
        self._listening.clear()

    def _ran(self, given: tuple[Any, ...], made: Any) -> None:
        node, *args = given
        self._listener(type(node)._forward_cls, node, tuple(args), made)

    def _set_up(self, given: tuple[Any, ...], _: None) -> None:
        node, args, made = given
        self._listener(type(node)._forward_cls, node, tuple(args), made)


def _below(kind: type[Any]) -> Iterator[type[Any]]:
    """Yield every class that inherits from one, each once."""
    seen: set[type[Any]] = set()
    pending = [kind]
    while pending:
        for each in pending.pop().__subclasses__():
            if each not in seen:
                seen.add(each)
                pending.append(each)
                yield each
