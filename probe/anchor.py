"""Keeps the user's own ``loss.backward()`` working when everything is frozen.

With every parameter frozen nothing that a model returns requires a gradient, and
``backward()`` raises "element 0 of tensors does not require grad". So where a command
has frozen parameters, what the outermost module returns is tied to an anchor: a custom
function with an extra input that requires a gradient, whose backward returns None. The
graph below it does not exist, so the backward through it is free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only
from torch.utils.hooks import RemovableHandle

from .hooks import ModuleHook


class _Tie(torch.autograd.Function):
    """The identity on ``value``, whose result requires a gradient because ``anchor`` does."""

    @staticmethod
    def forward(ctx: Any, anchor: Tensor, value: Tensor) -> Tensor:
        ctx.set_materialize_grads(False)
        # A copy, not a view: the user may change the output in place, which autograd
        # forbids on a view made inside a custom function.
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[None, None]:
        return None, None


class Anchor:
    """Ties the outputs of modules that hold parameters frozen by a command."""

    def __init__(self, models: Mapping[str, nn.Module]) -> None:
        self._models = models
        self._anchor = torch.empty(0, requires_grad=True)
        self._handles: list[RemovableHandle] = []
        self._modules: set[int] = set()
        self._depth = 0
        """Calls of watched modules that are under way; a forward runs in one thread."""

    def cover(self, frozen: Iterable[Tensor]) -> None:
        """Watch exactly the modules that hold one of ``frozen``, at any depth."""
        ids = {id(parameter) for parameter in frozen}
        modules = {
            id(module): module
            for model in self._models.values()
            for module in model.modules()
            if any(id(parameter) in ids for parameter in module.parameters())
        }
        if set(modules) == self._modules:
            return
        self.remove()
        self._modules = set(modules)
        for module in modules.values():
            self._handles += [
                module.register_forward_pre_hook(ModuleHook(self._enter), prepend=True),
                module.register_forward_hook(ModuleHook(self._leave), always_call=True),
            ]

    def remove(self) -> None:
        """Remove every hook."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._modules.clear()
        self._depth = 0

    def _enter(self, module: nn.Module, args: Any) -> None:
        self._depth += 1

    def _leave(self, module: nn.Module, args: Any, output: Any) -> Any:
        self._depth = max(0, self._depth - 1)
        # Only the outermost call: tying inside would make the modules above it compute
        # input gradients that nobody wants.
        if self._depth or not torch.is_grad_enabled():
            return None
        return tree_map_only(Tensor, self._tie, output)

    def _tie(self, value: Tensor) -> Tensor:
        if value.requires_grad or not (value.is_floating_point() or value.is_complex()):
            return value
        return _Tie.apply(self._anchor.to(value.device), value)  # type: ignore[no-any-return,no-untyped-call]
