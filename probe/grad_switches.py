"""Where gradients were switched off, while a step is traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .places import Callers
from .tape import Switch


class GradSwitches:
    """Follows ``no_grad``, ``set_grad_enabled`` and ``inference_mode`` from the outside.

    The first two go through ``torch._C._set_grad_enabled``, which torch function modes see;
    for ``inference_mode`` its ``__enter__`` is wrapped for the time of the trace. A custom
    autograd function switches gradients off around its ``forward`` in C++, where nobody sees
    it: gradients that are off and that nobody switched off mean the inside of one.
    """

    def __init__(self, callers: Callers) -> None:
        self._callers = callers
        self._enabled = torch.is_grad_enabled()
        before = Switch(None, "no_grad")
        self._last: Switch = before
        self._inference = Switch(None, "inference_mode")
        self._enter: Callable[..., Any] = torch.inference_mode.__enter__

    def start(self) -> None:
        """Watch ``inference_mode``."""
        enter, switches = self._enter, self

        def entered(context: Any) -> Any:
            switches._inference = Switch(switches._callers.chain(), "inference_mode")
            return enter(context)

        torch.inference_mode.__enter__ = entered  # type: ignore[method-assign]

    def stop(self) -> None:
        """Watch no longer."""
        torch.inference_mode.__enter__ = self._enter  # type: ignore[method-assign]

    def set(self, enabled: bool) -> None:
        """``torch._C._set_grad_enabled`` was called."""
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
        """Whether the forward of a custom autograd function is running."""
        return (
            self._enabled and not torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
        )
