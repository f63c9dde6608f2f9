"""Calls that torch function modes do not see, listened to while a trace lasts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..base.guard import Guard
from ..base.source import Callers
from ..torch_compat.patching import (
    Interception,
    arrays_as_tensors,
    inference_modes,
    new_parameters,
)
from .tape import Switch

Note = Callable[[str, Any, Tensor], None]
"""Told the name of the maker, what it was given, and what it made."""


class ConstructorCalls:
    """Listens to ``nn.Parameter(tensor)`` and ``torch.from_numpy(array)``."""

    def __init__(self) -> None:
        self._makers: list[Interception] = []

    def start(self, note: Note, guard: Guard | None = None) -> None:
        """Tell ``note`` of every call until :meth:`stop`."""

        def made_subclass(given: tuple[Any, ...], made: Tensor) -> None:
            note("Parameter", given[1], made)

        def made_from_numpy(given: tuple[Any, ...], made: Tensor) -> None:
            note("from_numpy", given[0], made)

        for maker in (new_parameters(made_subclass), arrays_as_tensors(made_from_numpy)):
            maker.start(guard)
            self._makers.append(maker)

    def stop(self) -> None:
        """Listen no longer."""
        for maker in self._makers:
            maker.stop()
        self._makers.clear()


class GradModeCalls:
    """Follows ``no_grad``, ``set_grad_enabled`` and ``inference_mode`` from the outside.

    The first two go through ``torch._C._set_grad_enabled``, which torch function modes see;
    ``inference_mode`` is listened to for the time of the trace. A custom
    autograd function switches gradients off around its ``forward`` in C++, where nobody sees
    it: gradients that are off and that nobody switched off mean the inside of one.
    """

    def __init__(self, callers: Callers) -> None:
        self._callers = callers
        self._enabled = torch.is_grad_enabled()
        before = Switch(None, "no_grad")
        self._last: Switch = before
        self._inference = Switch(None, "inference_mode")
        self._thread = threading.get_ident()
        self._entering: Interception | None = None

    def start(self, guard: Guard | None = None) -> None:
        """Listen to ``inference_mode``."""
        self._entering = inference_modes(self._entered)
        self._entering.start(guard)

    def stop(self) -> None:
        """Listen no longer."""
        if self._entering is not None:
            self._entering.stop()
            self._entering = None

    def _entered(self, _: tuple[Any, ...], __: None) -> None:
        if threading.get_ident() == self._thread:
            self._inference = Switch(self._callers.chain(), "inference_mode")

    def set(self, enabled: bool) -> None:
        """Take in a call of ``torch._C._set_grad_enabled``."""
        if torch.is_inference_mode_enabled():
            return  # its end puts back what was before it
        if self._enabled and not enabled:
            self._last = Switch(self._callers.chain(), "no_grad")
        self._enabled = enabled

    @property
    def off(self) -> Switch | None:
        """What switched gradients off, if they are off and somebody did."""
        if torch.is_inference_mode_enabled():
            return self._inference
        return None if self._enabled else self._last

    @property
    def inside_function(self) -> bool:
        """Return whether the forward of a custom autograd function is running."""
        return (
            self._enabled and not torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
        )
