"""Functions of torch that tell of their calls, for as long as somebody listens.

No function mode sees what is made by ``Tensor._make_subclass`` (a parameter) or by
``torch.from_numpy``, nor that ``torch.inference_mode`` was entered.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from ..base.source import hand_on
from .parts import EXPLAINING, Part

Listener = Callable[[tuple[Any, ...], Any], None]
"""Told what a function was given, and what it made of that."""
_LISTENERS = "gradgate_listeners"

_MAKE_SUBCLASS = Part(
    "torch.Tensor._make_subclass",
    otherwise="parameters that are made in a traced step are not seen",
    needed_for=(EXPLAINING,),
)
"""What ``nn.Parameter(tensor)`` calls; seen in torch 2.8 to 2.15."""
PARTS = (_MAKE_SUBCLASS,)


class Interception:
    """Listens to one function, which is replaced by a telling one while anybody does.

    Several may listen at once, and end in any order: traces may be nested, or run in threads.
    """

    def __init__(self, owner: Any, name: str, listener: Listener, *, static: bool = False) -> None:
        """``static``: it is a static method of a class."""
        self._owner = owner
        self._name = name
        self._listener = listener
        self._static = static
        self._listeners: list[Listener] = []

    def start(self) -> None:
        """Listen."""
        function = getattr(self._owner, self._name)
        listeners: list[Listener] | None = getattr(function, _LISTENERS, None)
        if listeners is None:
            telling = _telling(function)
            listeners = telling.gradgate_listeners  # type: ignore[attr-defined]
            inherited = self._name not in vars(self._owner)
            telling.gradgate_inherited = inherited  # type: ignore[attr-defined]
            setattr(self._owner, self._name, staticmethod(telling) if self._static else telling)
        self._listeners = listeners
        listeners.append(self._listener)

    def stop(self) -> None:
        """Listen no longer; the last one to leave puts the function back."""
        self._listeners.remove(self._listener)
        function = getattr(self._owner, self._name)
        if self._listeners or getattr(function, _LISTENERS, None) is not self._listeners:
            return
        if function.gradgate_inherited:
            delattr(self._owner, self._name)
        else:
            setattr(self._owner, self._name, function.__wrapped__)


def new_parameters(listener: Listener) -> Interception:
    """Listen to the making of parameters: told the class, the tensor, and what was made."""
    return Interception(Tensor, _MAKE_SUBCLASS.name.rpartition(".")[2], listener, static=True)


def arrays_as_tensors(listener: Listener) -> Interception:
    """Listen to ``torch.from_numpy``."""
    return Interception(torch, "from_numpy", listener)


def inference_modes(listener: Listener) -> Interception:
    """Listen to the entering of ``torch.inference_mode``."""
    return Interception(torch.inference_mode, "__enter__", listener)


def _telling(function: Callable[..., Any]) -> Callable[..., Any]:
    listeners: list[Listener] = []

    @wraps(function)
    def telling(*args: Any, **more: Any) -> Any:
        made = hand_on(function, *args, **more)
        for listener in tuple(listeners):
            listener((*args, *more.values()), made)
        return made

    telling.gradgate_listeners = listeners  # type: ignore[attr-defined]
    return telling
