"""Keeps the user's own ``loss.backward()`` working when everything is frozen.

With every parameter frozen nothing that a model returns requires a gradient, and
``backward()`` raises "element 0 of tensors does not require grad". So where a command
has frozen parameters, what the outermost module returns is tied to an anchor: a custom
function with an extra input that requires a gradient, whose backward returns None. The
graph below it does not exist, so the backward through it is free. Where the script itself calls
one module after the other, what was tied at one is untied at the next, so that the second
does not compute a gradient for the anchor alone.

A loss made of parameters alone, with no module called, cannot be tied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.hooks import RemovableHandle

from ..base.guard import Guard
from ..model.graph_walk import leaves
from ..torch_compat.autograd import inside_checkpoint, is_traced
from ..torch_compat.module_hooks import ModuleHook
from ..torch_compat.modules import register_first
from ..torch_compat.tree import map_tensors


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


class _TransformableTie(_Tie):
    """The same for ``torch.func``, whose rules Dynamo in turn does not trace.

    https://docs.pytorch.org/docs/stable/notes/extending.func.html
    """

    generate_vmap_rule = True

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor | None:
        return None if tangents[1] is None else tangents[1].clone()


class Anchor:
    """Ties the outputs of modules that hold parameters frozen by a command."""

    def __init__(self, models: Mapping[str, nn.Module], guard: Guard) -> None:
        self._models = models
        self._guard = guard
        self.leaf = torch.zeros(1, device=_device(models), requires_grad=True)
        """What every tie leads to; its gradient is never defined by a tie."""
        self._handles: list[RemovableHandle] = []
        self._modules: set[int] = set()
        self._depth = 0
        """Calls of watched modules that are under way; a forward runs in one thread."""

    def cover(self, frozen: Iterable[Tensor]) -> None:
        """Watch exactly the modules that hold one of ``frozen``, at any depth.

        DistributedDataParallel itself is left out: it looks for unused parameters in what
        its inner module returns, so there the tie has to be.
        """
        ids = {id(parameter) for parameter in frozen}
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
        self._modules = set(modules)
        only = _outermost(self._models)
        for module in modules.values():
            enter = self._enter_anew if module is only else self._enter
            # One by one: where the second cannot be registered, the first is known.
            self._handles.append(register_first(module, ModuleHook(enter), with_kwargs=True))
            leave = ModuleHook(self._leave)
            self._handles.append(module.register_forward_hook(leave, always_call=True))

    def reset(self) -> None:
        """Forget calls that were under way: an interrupted forward (Ctrl-C) never leaves."""
        self._depth = 0

    def remove(self) -> None:
        """Remove every hook."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._modules.clear()
        self.reset()

    def is_all_of(self, tensor: Tensor) -> bool:
        """Whether the gradient of a tensor, if it has one, reaches nothing but the anchor."""
        return not tensor.requires_grad or all(leaf is self.leaf for leaf in leaves([tensor]))

    def _enter(self, module: nn.Module, args: Any, kwargs: Any) -> Any:
        self._depth += 1
        return self._untied(args, kwargs) if self._depth == 1 else None

    def _enter_anew(self, module: nn.Module, args: Any, kwargs: Any) -> Any:
        """The one model is called: whatever was under way before was interrupted."""
        self._depth = 1
        return self._untied(args, kwargs)

    def _untied(self, args: Any, kwargs: Any) -> Any:
        if torch.compiler.is_compiling() or not torch.is_grad_enabled() or _must_not_tie():
            return None
        with self._guard:
            return map_tensors(self._untie, (args, kwargs))

    def _untie(self, value: Tensor) -> Tensor:
        return value.detach() if value.requires_grad and self.is_all_of(value) else value

    def _leave(self, module: nn.Module, args: Any, output: Any) -> Any:
        self._depth = max(0, self._depth - 1)
        # Only the outermost call: tying inside would make the modules above it compute
        # input gradients that nobody wants.
        if self._depth or not torch.is_grad_enabled():
            return None
        if torch.compiler.is_compiling():  # the rest is not for Dynamo to trace
            return map_tensors(self._tie, output)
        if _must_not_tie():
            return None
        with self._guard:
            return map_tensors(self._tie, output)

    def _tie(self, value: Tensor) -> Tensor:
        if value.requires_grad or not (value.is_floating_point() or value.is_complex()):
            return value
        tie = _Tie if torch.compiler.is_compiling() else _TransformableTie
        anchor = self.leaf.to(value.device)
        return tie.apply(anchor, value)  # type: ignore[no-any-return,no-untyped-call]


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


def _must_not_tie() -> bool:
    """Whether the present call is one that activation checkpointing plays twice, or a trace.

    A checkpointed function runs again inside the backward, where what was its inside looks
    outermost; forward and recomputation must decide alike, or what they save differs.
    """
    # A reentrant checkpoint compares nothing; what it recomputes must require a gradient.
    return is_traced() or inside_checkpoint()
