"""Keeps a graph where torch's own Python asks for one, and a freeze has left none.

With everything frozen nothing that a model returns requires a gradient. The script's own
``backward()`` is answered without a graph (:mod:`.autograd_calls`), but two parts of torch look
before it: the reducer of ``DistributedDataParallel`` waits for the backward of what its module
returned, and a reentrant checkpoint that plays its function again raises "none of output has
requires_grad=True". There, what the outermost module returns is tied to an anchor: a custom
function with an extra input that requires a gradient, whose backward returns None. The
graph below it does not exist, so the backward through it is free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..base.guard import Guard
from ..base.undo import Handles, whole
from ..model.graph_walk import leaves
from ..torch_compat.autograd import inside_backward, inside_checkpoint, is_traced
from ..torch_compat.module_hooks import ModuleHook
from ..torch_compat.modules import register_first
from ..torch_compat.tree import map_tensors
from ..torch_compat.wrappers import Wrappers


class _Tie(torch.autograd.Function):
    """The identity on ``value``, whose result requires a gradient because ``anchor`` does."""

    @staticmethod
    def forward(anchor: Tensor, value: Tensor) -> Tensor:
        # A copy, not a view: the user may change the output in place, which autograd
        # forbids on a view made inside a custom function.
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[None, None]:
        return None, None


class Anchor:
    """Ties the outputs of modules that hold parameters frozen by a command."""

    def __init__(self, models: Mapping[str, nn.Module], wrappers: Wrappers, guard: Guard) -> None:
        self._models = models
        self._wrappers = wrappers
        self._guard = guard
        self.leaf = torch.zeros(1, device=_device(models), requires_grad=True)
        """What every tie leads to; its gradient is never defined by a tie."""
        self._hooks = Handles()
        self._modules: set[int] = set()
        self._depth = 0
        """Calls of watched modules that are under way; a forward runs in one thread."""
        self._reduced: set[int] = set()
        """The modules that ``DistributedDataParallel`` wraps."""

    def cover(self, frozen: Iterable[Tensor]) -> None:
        """Watch exactly the modules that hold one of ``frozen``, at any depth.

        DistributedDataParallel itself is left out: it looks for unused parameters in what
        its inner module returns, so there the tie has to be.
        """
        parameters = list(frozen)
        ids = {id(parameter) for parameter in parameters}
        self._reduced = {id(w.module) for w in self._wrappers.reducing(parameters)}
        modules = {
            id(module): module
            for model in self._models.values()
            for module in model.modules()
            if not isinstance(module, DistributedDataParallel)
            and any(id(parameter) in ids for parameter in module.parameters())
        }
        if set(modules) == self._modules:
            return
        self.remove()
        only = _outermost(self._models)
        with whole([self.remove]):
            for module in modules.values():
                enter = self._enter_anew if module is only else self._enter
                self._hooks.add(register_first, module, ModuleHook(self._guard, enter))
                leave = ModuleHook(self._guard, self._leave)
                self._hooks.add(module.register_forward_hook, leave, always_call=True)
        self._modules = set(modules)

    def reset(self) -> None:
        """Forget calls that were under way: an interrupted forward (Ctrl-C) never leaves."""
        self._depth = 0

    def remove(self) -> None:
        """Remove every hook."""
        self._hooks.remove()
        self._modules.clear()
        self.reset()

    def is_all_of(self, tensor: Tensor) -> bool:
        """Whether the gradient of a tensor, if it has one, reaches nothing but the anchor."""
        return not tensor.requires_grad or all(leaf is self.leaf for leaf in leaves([tensor]))

    def _enter(self, module: nn.Module, args: Any) -> None:
        self._depth += 1

    def _enter_anew(self, module: nn.Module, args: Any) -> None:
        """The one model is called: whatever was under way before was interrupted."""
        self._depth = 1

    def _leave(self, module: nn.Module, args: Any, output: Any) -> Any:
        self._depth = max(0, self._depth - 1)
        # Only the outermost call: tying inside would make the modules above it compute
        # input gradients that nobody wants.
        if self._depth or not torch.is_grad_enabled():
            return None
        if torch.compiler.is_compiling():  # the rest is not for Dynamo to trace
            return map_tensors(self._tie, output) if id(module) in self._reduced else None
        if not (id(module) in self._reduced or inside_backward()) or _is_played_twice():
            return None
        with self._guard:
            return map_tensors(self._tie, output)

    def _tie(self, value: Tensor) -> Tensor:
        if value.requires_grad or not (value.is_floating_point() or value.is_complex()):
            return value
        anchor = self.leaf.to(value.device)
        return _Tie.apply(anchor, value)  # type: ignore[no-any-return,no-untyped-call]


def _device(models: Mapping[str, nn.Module]) -> torch.device:
    """Where the models are: a leaf elsewhere would have to be copied for every tie."""
    parameters = (p for model in models.values() for p in model.parameters())
    first = next(parameters, None)
    return torch.device("cpu") if first is None or first.is_meta else first.device


def _outermost(models: Mapping[str, nn.Module]) -> nn.Module | None:
    """The one module that the script calls, where there is one."""
    if len(models) != 1:
        return None
    model = next(iter(models.values()))
    return model.module if isinstance(model, DistributedDataParallel) else model


def _is_played_twice() -> bool:
    """Return whether a non-reentrant checkpoint runs, or plays its function again, or a trace.

    Its forward and its recomputation must decide alike, or what they save differs.
    """
    return is_traced() or inside_checkpoint()
