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

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol, TypeAlias

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node, get_gradient_edge

from ..base.guard import Attempt, Guard, GuardedHook
from ..base.undo import Handles
from ..model.graph_walk import made_on_the_way
from ..torch_compat.module_hooks import ModuleHook
from ..torch_compat.tensors import base_of, levels_of
from ..torch_compat.tree import map_tensors, tensors_in
from .forward_cut import ForwardCut, cut, may_cut

PassOn: TypeAlias = Callable[[Tensor], "Tensor | None"]
"""Called with a gradient; returns what passes."""
_HOOKS = "gradgate gates"
MOST_VIEWS = 64
"""Views of a forward that are held until it is over, at most."""
REWRITTEN = (
    "is changed in place right after the site, which takes the gradient past it; "
    "gate the output of a module that computes something anew instead."
)


class GatesAtSite(Protocol):
    """The gates of one site, as far as its hooks call them."""

    @property
    def guard(self) -> Guard:
        """Keeps faults from the training loop that are no gate's."""

    def attempt(self) -> Attempt:
        """Guard a block; an error in it is what keeps the gates from working."""

    def pass_on(self, grad: Tensor) -> Tensor | None:
        """Return what passes of a gradient that has arrived."""

    def record_upstream(self, tensor: Tensor) -> None:
        """Look, in the forward, who is upstream of a tensor whose gradient is gated."""

    def forward_cut(self) -> ForwardCut | None:
        """Return how to cut the graph in the forward, if nothing will pass."""


class SiteHooks(ABC):
    """The hooks of one site."""

    def __init__(self, name: str, gates: GatesAtSite) -> None:
        self._name = name or "the model"
        self._gates = gates
        self._hooks = Handles()
        self._called = False

    def remove(self) -> None:
        """Remove every hook; graphs that exist already ask for gates that are no more."""
        self._hooks.remove()

    @abstractmethod
    def why_no_gradient(self) -> str:
        """Return why no gradient came, as far as the calls since the last question tell."""

    def find_rewrites(self) -> bool:
        """Return, once a forward is over, whether a gated view was written to in place."""
        return False


class ParameterHooks(SiteHooks):
    """The hook on the node that accumulates a parameter's gradient."""

    def __init__(self, name: str, gates: GatesAtSite) -> None:
        super().__init__(name, gates)
        self._node: Node | None = None
        """The accumulating node, which lives as long as somebody holds it."""

    def put_on(self, parameter: nn.Parameter) -> None:
        """Gate a parameter's gradient; one that is frozen now is gated once it is thawed.

        Called again, it follows another tensor that has taken the parameter's place.
        """
        self._called = parameter.requires_grad
        if not parameter.requires_grad:
            return
        node = get_gradient_edge(parameter).node
        if node is not self._node:
            self.remove()
            hook = _Passing(self._gates.pass_on, 0)
            self._hooks.add(node.register_prehook, GuardedHook(self._gates.guard, hook))
            self._node = node

    def leave_to_reducer(self, parameter: nn.Parameter) -> None:
        """Put no hook on a parameter, whose gradient is gated once it is reduced."""
        self.remove()
        self._called = parameter.requires_grad

    def remove(self) -> None:
        """Remove the hook, and let go of the node."""
        super().remove()
        self._node = None

    def why_no_gradient(self) -> str:
        """Return that it is frozen, or that the backward does not reach it."""
        called, self._called = self._called, False
        return "its backward does not reach it." if called else "it is frozen."


class TensorHooks(SiteHooks):
    """Hooks on tensors that pass a site in the forward."""

    called: ClassVar[str] = "called"
    carries: ClassVar[str]
    """Says how a tensor comes to the site."""

    def __init__(
        self, name: str, gates: GatesAtSite, *, may_cut: bool = False, compiled: bool = False
    ) -> None:
        """``may_cut``: the graph may be cut at the site, where nothing will pass.

        ``compiled``: the model is, and its graph may break here: what a hook does is not compiled.
        """
        super().__init__(name, gates)
        self._may_cut = may_cut
        self._breaks = compiled
        self._views: list[tuple[Tensor, Node]] = []
        """Views of the forward under way, and the nodes that are hooked."""
        self._carried = False
        self._rewritten = False
        self._compiled = False

    def remove(self) -> None:
        """Remove every hook; graphs that exist already ask for gates that are no more."""
        super().remove()
        self._views.clear()

    def why_no_gradient(self) -> str:
        """Return why no gradient came, as far as the calls since the last question tell."""
        called, carried, rewritten = self._called, self._carried, self._rewritten
        self._called = self._carried = self._rewritten = False
        if rewritten:
            return f"{self._name} {REWRITTEN}"
        if self._compiled:
            return (
                "its forward is compiled without the gate: make it again after "
                "torch.compile(model); in a function that is compiled around the model only gates "
                "on parameters act."
            )
        if not called:
            return f"{self._name} is not {self.called}."
        if not carried:
            return f"what {self._name} {self.carries} carries no gradient."
        return "no backward goes through it."

    def find_rewrites(self) -> bool:
        """Return whether a view was written to, so that the node that is hooked is bypassed."""
        rewritten = any(view.grad_fn is not node for view, node in self._views)
        self._views.clear()
        self._rewritten |= rewritten
        return rewritten

    def gate_view(self, tensor: Tensor) -> Tensor:
        """Return a view of a tensor, and gate the gradient that comes through the view."""
        carries = any(level.requires_grad for level in levels_of(tensor))
        if not carries or not torch.is_grad_enabled():
            return tensor
        with self._gates.attempt():
            view = tensor.view_as(tensor)
            self.gate_tensor(view)
            if len(self._views) >= MOST_VIEWS:
                self.find_rewrites()
            self._views += [(v, v.grad_fn) for v in levels_of(view) if v.grad_fn is not None]
            return view
        return tensor

    def gate_tensor(self, tensor: Tensor) -> None:
        """Gate the gradient of a tensor by a hook before its node."""
        self._carried = True
        # Inside of torch.func a gradient may also be asked for outside of what runs now.
        for level in levels_of(tensor):
            self._gates.record_upstream(level)
            if level.grad_fn is not None:
                # Also where it is cut: the module may have used what it returns.
                _hook(self._gates.guard, level.grad_fn, level.output_nr, self._gates.pass_on)
        if tensor.grad_fn is None:
            return
        forward_cut = self._gates.forward_cut() if self._may_cut else None
        if forward_cut is not None and may_cut(tensor):
            cut(tensor, forward_cut.leaves)
            _hook(self._gates.guard, tensor.grad_fn, 0, forward_cut.pass_on)

    def _uncompiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that breaks the graph of a compiled model where it is called."""
        return torch.compiler.disable(function) if self._breaks else function

    def _passes_by(self) -> bool:
        """Return whether the hook that is called is being compiled, and must leave all as it is."""
        if torch.compiler.is_compiling() and not self._breaks:
            self._called = self._compiled = True
            return True
        return False


class OutputHooks(TensorHooks):
    """Gates what flows back into a module, from its next call on."""

    carries: ClassVar[str] = "returns"

    def put_on(self, module: nn.Module) -> None:
        """Register the hook behind a module's forward."""
        self._gate_call = self._uncompiled(self._gate_output)
        hook = ModuleHook(self._gates.guard, self._after_forward)
        self._hooks.add(module.register_forward_hook, hook, with_kwargs=True)

    def _after_forward(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
        return None if self._passes_by() else self._gate_call(args, kwargs, output)

    def _gate_output(self, args: Any, kwargs: Any, output: Any) -> Any:
        self._called = True
        if not torch.is_grad_enabled():
            return None
        with self._gates.attempt():
            given, returned = tensors_in((args, kwargs)), tensors_in(output)
            gater = _OutputGater(self, self._gates, given, returned)
            return map_tensors(gater, output)
        return None


class InputHooks(TensorHooks):
    """Gates what flows back out of a module, from its next call on."""

    carries: ClassVar[str] = "is given"

    def put_on(self, module: nn.Module) -> None:
        """Register the hook before a module's forward."""
        self._gate_call = self._uncompiled(self._gate_inputs)
        hook = ModuleHook(self._gates.guard, self._before_forward)
        self._hooks.add(module.register_forward_pre_hook, hook, with_kwargs=True)

    def _before_forward(self, module: nn.Module, args: Any, kwargs: Any) -> Any:
        return None if self._passes_by() else self._gate_call(args, kwargs)

    def _gate_inputs(self, args: Any, kwargs: Any) -> Any:
        self._called = True
        if not torch.is_grad_enabled():
            return None
        with self._gates.attempt():
            # Each by itself, so that a list that holds no gradient stays the caller's own.
            return (
                tuple(map_tensors(self.gate_view, value, keep=True) for value in args),
                {k: map_tensors(self.gate_view, v, keep=True) for k, v in kwargs.items()},
            )
        return None


class LabelHooks(TensorHooks):
    """Gates what flows back to tensors that pass a label."""

    called: ClassVar[str] = "passed"
    carries: ClassVar[str] = "lets pass"

    def pass_label(self, tensor: Tensor) -> Tensor:
        """Return a view of a tensor whose gradient is gated."""
        self._called = True
        return self.gate_view(tensor)


class _OutputGater:
    """Gates what one call of a module returns."""

    def __init__(
        self,
        hooks: OutputHooks,
        gates: GatesAtSite,
        given: Sequence[Tensor],
        returned: Sequence[Tensor],
    ) -> None:
        self._hooks = hooks
        self._gates = gates
        self._gated: dict[int, Tensor] = {}
        """What was returned already, under its ``id``: it may be there several times."""
        self._given = {id(tensor) for tensor in given}
        each = {id(tensor): tensor for tensor in returned}
        bases = [id(base_of(tensor)) for tensor in each.values()]
        self._shared = {base for base in bases if bases.count(base) > 1 or base in each}
        self._shared.update(id(_base(tensor)) for tensor in given)
        self._within = made_on_the_way(tensor.grad_fn for tensor in returned)

    def __call__(self, tensor: Tensor) -> Tensor:
        if id(tensor) not in self._gated:
            with self._gates.attempt():
                self._gated[id(tensor)] = self._gate(tensor)
        return self._gated.get(id(tensor), tensor)

    def _gate(self, tensor: Tensor) -> Tensor:
        # Returned as it came: its node is somebody else's, with users of its own.
        if id(tensor) in self._given or tensor.grad_fn is None:
            return self._hooks.gate_view(tensor)
        base = base_of(tensor)
        # What the module has used further has a gradient from there that is gated already.
        used = tensor.grad_fn in self._within
        if base is None and not used:
            self._hooks.gate_tensor(tensor)
            return tensor
        # Memory that others use too must stay known to autograd as theirs.
        if id(_base(tensor)) in self._shared or (base is not None and base.is_leaf):
            return self._hooks.gate_view(tensor)
        own: Tensor = _OwnNode.apply(tensor)  # type: ignore[no-untyped-call]
        self._hooks.gate_tensor(own)
        return own


def _base(tensor: Tensor) -> Tensor:
    base = base_of(tensor)
    return tensor if base is None else base


class _OwnNode(torch.autograd.Function):
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


def _hook(guard: Guard, node: Node, number: int, pass_on: PassOn) -> None:
    """Gate the gradient of a node's output ``number``.

    What a module returns may be what one inside of it has returned: a gradient comes to the gate
    on the outer one first, which is put there last.
    """
    hooks: dict[int, _Passing] = node.metadata.setdefault(_HOOKS, {})  # type: ignore[attr-defined]
    if number in hooks:
        hooks[number].put_before(pass_on)
    else:
        hooks[number] = _Passing(pass_on, number)
        node.register_prehook(GuardedHook(guard, hooks[number]))


class _Passing:
    """Called before a node."""

    def __init__(self, pass_on: PassOn, number: int) -> None:
        self._pass_on = [pass_on]
        self._number = number

    def put_before(self, pass_on: PassOn) -> None:
        """Call another one before those that are called already."""
        self._pass_on.insert(0, pass_on)

    def __call__(self, grads: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...] | None:
        """Return what passes of the gradients; None where that is all of them."""
        grad = passed = grads[self._number]
        for pass_on in self._pass_on:
            if passed is not None:
                passed = pass_on(passed)
        if passed is grad:
            return None
        return (*grads[: self._number], passed, *grads[self._number + 1 :])
