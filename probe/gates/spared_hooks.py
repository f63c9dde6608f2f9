"""Keeps the script's own hooks from being called where a gate has let nothing pass.

Behind a gate that closes in the backward autograd still goes through every node, with undefined
gradients, and calls the hooks there with None (a parameter's ``grad.clamp(-1, 1)`` raises then),
and those that wait for a parameter's gradient (``parameter.grad.norm()``) though none has come.
With a ``detach`` in the gate's place they would not be called.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from typing import Any

from torch import Tensor, nn

from ..base.guard import Call, Guard, GuardedFunction
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

    def __init__(self, table: ParameterTable, closed: Closed, guard: Guard) -> None:
        self._table = table
        self._closed = closed
        self._guard = guard
        around = [
            tensor_hooks(weakly(self._register)),
            accumulation_hooks(weakly(self._register_after)),
            module_backwards(weakly(self._make)),
        ]
        self._interceptions = Interceptions(self, guard, around)

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
                        hooks[number] = hook.function

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
        around = partial(_spare, weakref.ref(self), after)
        return _Spared(self._guard, hook, around)


class _Spared(GuardedFunction):
    """A hook of the script's, of a tensor or a module.

    A leaf keeps it where no garbage collector looks, so it must keep no run alive.
    """

    def __init__(self, guard: Guard, hook: Callable[..., Any], around: Callable[..., Any]) -> None:
        super().__init__(guard, hook, around)
        update_wrapper(self, hook)  # a diagnosis names the script's


def _spare(by: weakref.ref[SparedHooks], after: bool, call: Call, *given: Any) -> Any:
    """Call a hook, or not; ``after``: it is given a leaf, once the gradient is in."""
    grads = given[-1] if isinstance(given[-1], tuple) else given[-1:]
    if after:
        grads = (given[0].grad,)
    spared = by()
    if spared is not None and all(grad is None for grad in grads) and spared.closed:
        return None
    return call(*given)
