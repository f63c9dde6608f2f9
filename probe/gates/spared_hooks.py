"""Keeps the script's own hooks from being called where a gate has let nothing pass.

Behind a gate that closes in the backward autograd still goes through every node, with undefined
gradients, and calls the hooks there with None (a parameter's ``grad.clamp(-1, 1)`` raises then),
and those that wait for a parameter's gradient (``parameter.grad.norm()``) though none has come.
With a ``detach`` in the gate's place they would not be called.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any

from torch import Tensor, nn

from ..model.table import ParameterTable
from ..torch_compat.patching import (
    Interceptions,
    accumulation_hooks,
    module_backwards,
    tensor_hooks,
    weakly,
)
from ..torch_compat.tensors import own_accumulation_hooks, own_hooks

Closed = Callable[[], bool]
"""Returns whether a gate was closed in the present step so far."""


class SparedHooks:
    """Stands around the making of hooks while there are gates, and on those of parameters."""

    def __init__(self, table: ParameterTable, closed: Closed) -> None:
        self._table = table
        self._closed = closed
        around = [
            tensor_hooks(weakly(self._register)),
            accumulation_hooks(weakly(self._register_after)),
            module_backwards(weakly(self._make)),
        ]
        self._interceptions = Interceptions(self, around)

    def follow(self, *, needed: bool) -> None:
        """Spare hooks from now on, those too that are on parameters already, or no longer."""
        self._interceptions.follow(needed=needed)
        for parameter in self._table.parameters:
            for hooks, after in (
                (own_hooks(parameter), False),
                (own_accumulation_hooks(parameter), True),
            ):
                for number, hook in list(hooks.items()):
                    if needed:
                        hooks[number] = self._spare(hook, after=after)
                    elif isinstance(hook, _Spared):
                        hooks[number] = hook.hook

    @property
    def closed(self) -> bool:
        """Whether a gate was closed in the present step so far."""
        return self._closed()

    def _register(self, register: Callable[..., Any], tensor: Tensor, hook: Any) -> Any:
        return register(tensor, self._spare(hook))

    def _register_after(self, register: Callable[..., Any], tensor: Tensor, hook: Any) -> Any:
        return register(tensor, self._spare(hook, after=True))

    def _make(
        self,
        make: Callable[..., None],
        backward: Any,
        module: nn.Module,
        user_hooks: Sequence[Any],
        user_pre_hooks: Sequence[Any],
    ) -> None:
        spared = [[*map(self._spare, hooks)] for hooks in (user_hooks, user_pre_hooks)]
        make(backward, module, *spared)

    def _spare(self, hook: Any, *, after: bool = False) -> Any:
        # One of torch's own takes None for what it is, and may count its calls.
        its_own = str(getattr(hook, "__module__", "")).partition(".")[0] == "torch"
        if its_own or isinstance(hook, _Spared):
            return hook
        return _Spared(hook, weakref.ref(self), after=after)


class _Spared:
    """A hook of the script's, of a tensor or a module.

    A leaf keeps it where no garbage collector looks, so it must keep no run alive.
    """

    def __init__(
        self, hook: Callable[..., Any], by: weakref.ref[SparedHooks], *, after: bool
    ) -> None:
        """``after``: it is given a leaf, once the gradient is in."""
        self.hook = hook
        self._by = by
        self._after = after
        update_wrapper(self, hook)  # a diagnosis names the script's

    def __call__(self, *given: Any) -> Any:
        grads = given[-1] if isinstance(given[-1], tuple) else given[-1:]
        if self._after:
            grads = (given[0].grad,)
        by = self._by()
        if by is not None and all(grad is None for grad in grads) and by.closed:
            return None
        return self.hook(*given)
