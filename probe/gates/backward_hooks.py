"""Hooks through which gradients that arrive at a site can be changed or stopped.

A hook before a node of the autograd graph may hand the node something else: a tensor, or
None, an undefined gradient. Undefined gradients prune: every node upstream is gone through
without work (https://docs.pytorch.org/docs/stable/notes/autograd.html#backward-hooks-execution).
What is gated is

- at a module's output the tensor's own node, so that the gradient from all of its users
  is gated together, whatever they do to it in place; a view gets a node of its own first;
- at a module's input and at a label a view of the tensor, so that other users of it are
  left alone;
- at a parameter its accumulating node, which sees the sum over all uses in a backward.

What a module returns while it is known that nothing will pass is cut off in the forward.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node, get_gradient_edge
from torch.utils.hooks import RemovableHandle

from ..base.guard import Guard
from ..torch_compat.module_hooks import ModuleHook
from ..torch_compat.tree import map_tensors, tensors_in
from .forward_cut import Foregone, cut, may_cut
from .sites import INPUT, LABEL, OUTPUT, PARAMETER, Site

Arrive: TypeAlias = Callable[[Tensor], "Tensor | None"]
"""Called with a gradient; returns what passes."""
MOST_VIEWS = 64
"""Views of a forward that are held until it is over, at most."""
REWRITTEN = (
    "is changed in place right after the site, which takes the gradient past it; "
    "gate the output of a module that computes something anew instead."
)


class Arrivals:
    """The hooks of one site."""

    def __init__(
        self,
        site: Site,
        guard: Guard,
        arrive: Arrive,
        passes: Callable[[Tensor], None],
        foregone: Callable[[], Foregone | None],
    ) -> None:
        """``passes`` is called in the forward with each tensor whose gradient is gated.

        ``foregone``: tells in the forward whether nothing will pass the site.
        """
        self.site = site
        self._guard = guard
        self._arrive = arrive
        self._passes = passes
        self._foregone = foregone
        self._handles: list[RemovableHandle] = []
        self._node: Node | None = None
        """The accumulating node of a parameter, which lives as long as somebody holds it."""
        self._views: list[tuple[Tensor, Node]] = []
        """Views of the forward under way, and the nodes that are hooked."""
        self._called = False
        self._carried = False
        self._rewritten = False
        self._compiled = False

    def put_on_module(self, module: nn.Module) -> None:
        """Gate what flows out of, or into, a module from its next call on."""
        if self.site.kind == OUTPUT:
            hook = module.register_forward_hook(ModuleHook(self._after_forward), with_kwargs=True)
        else:
            hook = module.register_forward_pre_hook(
                ModuleHook(self._before_forward), with_kwargs=True
            )
        self._handles.append(hook)

    def put_on_parameter(self, parameter: nn.Parameter) -> None:
        """Gate a parameter's gradient; one that is frozen now is gated once it is thawed.

        Called again, it follows another tensor that has taken the parameter's place.
        """
        self._called = parameter.requires_grad
        if not parameter.requires_grad:
            return
        node = get_gradient_edge(parameter).node
        if node is not self._node:
            self.remove()
            self._node = node
            self._handles.append(node.register_prehook(_Arrival(self._arrive, 0)))

    def reach(self, tensor: Tensor) -> Tensor:
        """Gate the gradient of a tensor that passes a label: return a view of it."""
        self._called = True
        with self._guard:
            return self.gated_view(tensor)
        return tensor

    def remove(self) -> None:
        """Remove every hook; graphs that exist already ask for gates that are no more."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._node = None
        self._views.clear()

    def why_unreached(self) -> str:
        """Why no gradient came, as far as the calls since the last question tell."""
        called, carried, rewritten = self._called, self._carried, self._rewritten
        self._called = self._carried = self._rewritten = False
        name = self.site.name or "the model"
        if rewritten:
            return f"{name} {REWRITTEN}"
        if self._compiled:
            return "the model was compiled since, and compiled code takes no gates."
        if self.site.kind == PARAMETER:
            return "its backward does not reach it." if called else "it is frozen."
        if not called:
            verb = "passed" if self.site.kind == LABEL else "called"
            return f"{name} is not {verb}."
        if not carried:
            what = {OUTPUT: "returns", INPUT: "is given", LABEL: "lets pass"}[self.site.kind]
            return f"what {name} {what} carries no gradient."
        return "no backward goes through it."

    def look(self) -> bool:
        """Once a forward is over: was a view of the site written to, so that ours is bypassed?"""
        rewritten = any(view.grad_fn is not node for view, node in self._views)
        self._views.clear()
        self._rewritten |= rewritten
        return rewritten

    def _before_forward(self, module: nn.Module, args: Any, kwargs: Any) -> Any:
        self._called = True
        if not self._may_gate():
            return None
        with self._guard:
            # Each by itself, so that a list that holds no gradient stays the caller's own.
            return (
                tuple(map_tensors(self.gated_view, value, keep=True) for value in args),
                {k: map_tensors(self.gated_view, v, keep=True) for k, v in kwargs.items()},
            )
        return None

    def _after_forward(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
        self._called = True
        if not self._may_gate():
            return None
        with self._guard:
            given, returned = tensors_in((args, kwargs)), tensors_in(output)
            return map_tensors(_Outlet(self, given, returned), output)
        return None

    def _may_gate(self) -> bool:
        if torch.compiler.is_compiling():
            self._compiled = True
            return False
        return torch.is_grad_enabled()

    def gated_view(self, tensor: Tensor) -> Tensor:
        """Return a view of a tensor, and gate the gradient that comes through the view."""
        if not tensor.requires_grad or not torch.is_grad_enabled():
            return tensor
        view = tensor.view_as(tensor)
        self.put(view)
        if view.grad_fn is not None:
            if len(self._views) >= MOST_VIEWS:
                self.look()
            self._views.append((view, view.grad_fn))
        return view

    def put(self, tensor: Tensor) -> None:
        """Gate the gradient of a tensor by a hook before its node."""
        self._carried = True
        self._passes(tensor)
        if tensor.grad_fn is None:
            return
        # Also where it is cut: the module may have used what it returns.
        tensor.grad_fn.register_prehook(_Arrival(self._arrive, tensor.output_nr))
        foregone = self._foregone()
        if foregone is not None and may_cut(tensor):
            cut(tensor, foregone.leaves)
            tensor.grad_fn.register_prehook(_Arrival(foregone.arrive, 0))


class _Outlet:
    """Gates what one call of a module returns."""

    def __init__(
        self, arrivals: Arrivals, given: Sequence[Tensor], returned: Sequence[Tensor]
    ) -> None:
        self._arrivals = arrivals
        self._given = {id(tensor) for tensor in given}
        bases = [id(tensor._base) for tensor in {id(t): t for t in returned}.values()]
        self._shared = {base for base in bases if bases.count(base) > 1}
        self._shared.update(id(_base(tensor)) for tensor in given)

    def __call__(self, tensor: Tensor) -> Tensor:
        # Returned as it came: its node is somebody else's, with users of its own.
        if id(tensor) in self._given or tensor.grad_fn is None:
            return self._arrivals.gated_view(tensor)
        base = tensor._base
        if base is None:
            self._arrivals.put(tensor)
            return tensor
        # Memory that others use too must stay known to autograd as theirs.
        if base.is_leaf or id(base) in self._shared:
            return self._arrivals.gated_view(tensor)
        own: Tensor = _Own.apply(tensor)  # type: ignore[no-untyped-call]
        self._arrivals.put(own)
        return own


def _base(tensor: Tensor) -> Tensor:
    base = tensor._base
    return tensor if base is None else base


class _Own(torch.autograd.Function):
    """The same memory, and for autograd no view of anything.

    A write in place to a view (what ``nn.Linear`` returns for three dimensions is one) gives
    it another node, past a hook on the one it had.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(tensor: Tensor) -> Tensor:
        return tensor.detach()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Tensor | None:
        return grads[0]

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor | None:
        return None if tangents[0] is None else tangents[0].clone()


class _Arrival:
    """The hook before a node."""

    __slots__ = ("_arrive", "_number")

    def __init__(self, arrive: Arrive, number: int) -> None:
        self._arrive = arrive
        self._number = number

    def __call__(self, grads: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...] | None:
        grad = grads[self._number]
        if grad is None:
            return None
        passed = self._arrive(grad)
        if passed is grad:
            return None
        return (*grads[: self._number], passed, *grads[self._number + 1 :])
