"""Functions of torch that tell of their calls, for as long as somebody listens.

What public torch has no hook for: no function mode sees what is made by
``Tensor._make_subclass`` (a parameter) or by ``torch.from_numpy``, nor that
``torch.inference_mode`` was entered.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn

from ..base.source import hand_on
from .parts import EXPLAINING, Part, find

Listener = Callable[[tuple[Any, ...], Any], None]
"""Told what a function was given, and what it made of that."""
FlagListener = Callable[[nn.Parameter, bool], bool]
"""Told a parameter and what its ``requires_grad`` is to be; returns whether it may be so."""
_LISTENERS = "gradgate_listeners"

_MAKE_SUBCLASS = Part(
    "torch.Tensor._make_subclass",
    otherwise="parameters that are made in a traced step are not seen",
    needed_for=(EXPLAINING,),
)
"""What ``nn.Parameter(tensor)`` calls; seen in torch 2.8 to 2.15."""
_CREATE_SCRIPT_MODULE = Part(
    "torch.jit._recursive.create_script_module",
    otherwise="torch.jit.script refuses an attached model",
)
"""What ``torch.jit.script`` calls with a module; seen in torch 2.8 to 2.15."""
PARTS = (_MAKE_SUBCLASS, _CREATE_SCRIPT_MODULE)


class Patch:
    """Replaces one function for as long as anybody listens to it.

    Several may listen at once, and end in any order: traces may be nested, or run in threads.
    """

    def __init__(
        self,
        owner: Any,
        name: str,
        listener: Callable[..., Any],
        replacement: Callable[[Any, list[Any]], Any],
        *,
        static: bool = False,
    ) -> None:
        """``replacement``: makes one of the function and the list of those that listen."""
        self._owner = owner
        self._name = name
        self._listener = listener
        self._replacement = replacement
        self._static = static
        self._listeners: list[Any] = []

    def start(self) -> None:
        """Listen."""
        function = getattr(self._owner, self._name)
        listeners: list[Any] | None = getattr(function, _LISTENERS, None)
        if listeners is None:
            listeners = []
            telling = self._replacement(function, listeners)
            telling.gradgate_listeners = listeners
            telling.gradgate_inherited = self._name not in vars(self._owner)
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


class Interception(Patch):
    """Listens to one function: told of each call when it is over."""

    def __init__(self, owner: Any, name: str, listener: Listener, *, static: bool = False) -> None:
        """``static``: it is a static method of a class."""
        super().__init__(owner, name, listener, _telling, static=static)


class Surrounding(Patch):
    """Does something around each call of one function: a context is entered for it."""

    def __init__(
        self, owner: Any, name: str, context: Callable[..., AbstractContextManager[None]]
    ) -> None:
        """``context``: given what the function is."""
        super().__init__(owner, name, context, _surrounded)


def new_parameters(listener: Listener) -> Interception:
    """Listen to the making of parameters: told the class, the tensor, and what was made."""
    return Interception(Tensor, _MAKE_SUBCLASS.name.rpartition(".")[2], listener, static=True)


def arrays_as_tensors(listener: Listener) -> Interception:
    """Listen to ``torch.from_numpy``."""
    return Interception(torch, "from_numpy", listener)


def inference_modes(listener: Listener) -> Interception:
    """Listen to the entering of ``torch.inference_mode``."""
    return Interception(torch.inference_mode, "__enter__", listener)


def requires_grad_writes(listener: FlagListener) -> tuple[Patch, ...]:
    """Listen to what sets ``requires_grad`` of a parameter, by method or by assignment.

    A method of a plain tensor (``Tensor.requires_grad_(parameter, False)``) goes past it, and
    Gradgate's own changes do: see :func:`~.tensors.set_requires_grad`.
    """
    return (
        Patch(nn.Parameter, "requires_grad_", listener, _asking_method),
        Patch(nn.Parameter, "requires_grad", listener, _asking_flag),
    )


def scripting(context: Callable[..., AbstractContextManager[None]]) -> Surrounding | None:
    """Surround each making of a TorchScript module, given the module; None where that is hidden."""
    if _CREATE_SCRIPT_MODULE.missing:
        return None
    owner, _, name = _CREATE_SCRIPT_MODULE.name.rpartition(".")
    return Surrounding(find(owner), name, context)


def _telling(function: Callable[..., Any], listeners: list[Any]) -> Callable[..., Any]:
    @wraps(function)
    def telling(*args: Any, **more: Any) -> Any:
        made = hand_on(function, *args, **more)
        for listener in tuple(listeners):
            listener((*args, *more.values()), made)
        return made

    return telling


def _surrounded(function: Callable[..., Any], contexts: list[Any]) -> Callable[..., Any]:
    @wraps(function)
    def surrounded(*args: Any, **more: Any) -> Any:
        with ExitStack() as stack:
            for context in tuple(contexts):
                stack.enter_context(context(*args, **more))
            return hand_on(function, *args, **more)

    return surrounded


class _Flag(property):
    """The flag of a parameter; a property in C, so that reading it costs next to nothing."""


def _asking_flag(flag: Any, listeners: list[Any]) -> _Flag:
    def write(parameter: nn.Parameter, value: bool) -> None:
        if all(listener(parameter, value) for listener in tuple(listeners)):
            hand_on(flag.__set__, parameter, value)

    return _Flag(flag.__get__, write)


def _asking_method(method: Callable[..., Any], listeners: list[Any]) -> Callable[..., Any]:
    @wraps(method)
    def requires_grad_(parameter: nn.Parameter, requires_grad: bool = True) -> nn.Parameter:
        if all(listener(parameter, requires_grad) for listener in tuple(listeners)):
            hand_on(method, parameter, requires_grad)
        return parameter

    return requires_grad_
