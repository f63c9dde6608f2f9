"""Hooks through which gradients that arrive at a site can be changed or stopped.

A hook before a node of the autograd graph may hand the node something else: a tensor, or
None, an undefined gradient. Undefined gradients prune: every node upstream is gone through
without work (https://docs.pytorch.org/docs/stable/notes/autograd.html#backward-hooks-execution).
What is gated is

- at a module's output the tensor's own node, so that the gradient from all of its users
  is gated together, whatever they do to it in place;
- at a module's input and at a label a view of the tensor, so that other users of it are
  left alone;
- at a parameter its accumulating node, which sees the sum over all uses in a backward.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node, get_gradient_edge
from torch.utils.hooks import RemovableHandle

from .hooks import ModuleHook
from .nested import map_tensors, tensors_in
from .sites import INPUT, LABEL, OUTPUT, PARAMETER, Site

Arrive: TypeAlias = Callable[[Tensor], "Tensor | None"]
"""Called with a gradient; returns what passes."""


class Arrivals:
    """The hooks of one site."""

    def __init__(self, site: Site, arrive: Arrive, passes: Callable[[Tensor], None]) -> None:
        """``passes`` is called in the forward with each tensor whose gradient is gated."""
        self.site = site
        self._arrive = arrive
        self._passes = passes
        self._handles: list[RemovableHandle] = []
        self._node: Node | None = None
        """The accumulating node of a parameter, which lives as long as somebody holds it."""
        self._views: list[tuple[weakref.ref[Tensor], Node]] = []
        self._called = False
        self._carried = False
        self._rewritten = False

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
        """Gate a parameter's gradient; one that is frozen now is gated once it is thawed."""
        if self._node is None and parameter.requires_grad:
            self._node = get_gradient_edge(parameter).node
            self._handles.append(self._node.register_prehook(_Arrival(self._arrive, 0)))
        self._called |= parameter.requires_grad

    def reach(self, tensor: Tensor) -> Tensor:
        """Gate the gradient of a tensor that passes a label: return a view of it."""
        self._called = True
        return self._gated_view(tensor)

    def remove(self) -> None:
        """Remove every hook; graphs that exist already ask for gates that are no more."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._node = None
        self._views.clear()

    def why_unreached(self) -> str:
        """Why no gradient came, as far as the calls since the last question tell."""
        self._look_at_views()
        called, carried, rewritten = self._called, self._carried, self._rewritten
        self._called = self._carried = self._rewritten = False
        name = self.site.name or "the model"
        if rewritten:
            return (
                f"{name} is changed in place right after the site, which takes the gradient "
                "past it; gate the output of a module instead."
            )
        if self.site.kind == PARAMETER:
            return "its backward does not reach it." if called else "it is frozen."
        if not called:
            verb = "passed" if self.site.kind == LABEL else "called"
            return f"{name} is not {verb}."
        if not carried:
            what = {OUTPUT: "returns", INPUT: "is given", LABEL: "lets pass"}[self.site.kind]
            return f"what {name} {what} carries no gradient."
        return "no backward goes through it."

    def end_step(self) -> None:
        """Forget the views of a step that has ended."""
        self._look_at_views()

    def _before_forward(self, module: nn.Module, args: Any, kwargs: Any) -> Any:
        self._called = True
        if not torch.is_grad_enabled():
            return None
        return map_tensors(self._gated_view, (args, kwargs))

    def _after_forward(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
        self._called = True
        if not torch.is_grad_enabled():
            return None
        given = {id(tensor) for tensor in tensors_in((args, kwargs))}

        def gated(tensor: Tensor) -> Tensor:
            # Returned as it came: its node is somebody else's, with users of its own.
            if id(tensor) in given or tensor.grad_fn is None:
                return self._gated_view(tensor)
            self._put(tensor)
            return tensor

        return map_tensors(gated, output)

    def _gated_view(self, tensor: Tensor) -> Tensor:
        if not tensor.requires_grad or not torch.is_grad_enabled():
            return tensor
        view = tensor.view_as(tensor)
        self._put(view)
        node = view.grad_fn
        if node is not None:
            self._views.append((weakref.ref(view), node))
        return view

    def _put(self, tensor: Tensor) -> None:
        self._carried = True
        self._passes(tensor)
        if tensor.grad_fn is not None:
            tensor.grad_fn.register_prehook(_Arrival(self._arrive, tensor.output_nr))

    def _look_at_views(self) -> None:
        """A view that was written to in place has another node now, and ours is bypassed."""
        for weak, node in self._views:
            view = weak()
            self._rewritten |= view is not None and view.grad_fn is not node
        self._views.clear()


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
