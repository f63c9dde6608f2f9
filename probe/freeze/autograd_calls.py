"""Keeps the script's own calls of autograd working while commands freeze and gate.

What a command has frozen requires no gradient, and what a closed gate has cut off gets none.
Torch raises where a script asks for it all the same: "does not require grad" for an output or an
input of ``backward`` or ``grad``, "not used in the graph", "cannot register a hook". The script
is the one that was right before the command, so it is answered: a backward of nothing does
nothing, an input that gets nothing has a gradient of zeros (or None, where the script said
``allow_unused=True``), and a hook on what gets no gradient is never called.

Nothing is added to the graph for that, so a freeze saves what one written by hand saves, and
tensors are what they are there.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, TypeGuard

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge
from torch.utils.hooks import RemovableHandle

from ..base.guard import Guard
from ..model.graph_walk import asked_leaf
from ..model.table import ParameterTable
from ..torch_compat.autograd import observed_by_transforms, zeros_for
from ..torch_compat.patching import (
    Interceptions,
    functional_gradients,
    gradient_edges,
    grouped_gradients,
    hook_registrations,
    nodes_of_tensors,
    runs_of_autograd,
    stacked_parameters,
    weakly,
)
from ..torch_compat.tensors import set_requires_grad

logger = logging.getLogger("gradgate")

Asked: TypeAlias = "Tensor | GradientEdge"


class AskedGradients(Protocol):
    """Gates, as far as they matter to gradients that the script asks for by ``grad``."""

    def pass_asked(self, index: int, grad: Tensor) -> Tensor | None:
        """Return what passes of a parameter's gradient."""

    def record_missing(self, index: int | None) -> None:
        """Take in that a parameter has no gradient; None: another tensor has none."""

    def backward_returned(self) -> None:
        """Take in that a backward of the script's is over, or one inside of it."""


class _NoGates:
    """Takes the place of gates until there are some."""

    def pass_asked(self, index: int, grad: Tensor) -> Tensor:
        """Let everything pass."""
        return grad

    def record_missing(self, index: int | None) -> None:
        """Take in nothing."""

    def backward_returned(self) -> None:
        """Do nothing."""


class AutogradCalls:
    """Stands around the calls of autograd while a command stands, and for a step after the last."""

    def __init__(
        self, table: ParameterTable, guard: Guard, backward_ended: Callable[[], None]
    ) -> None:
        """``backward_ended``: called after a backward in which there was nothing to do."""
        self._table = table
        self._guard = guard
        self._backward_ended = backward_ended
        around = [
            runs_of_autograd(weakly(self._run)),
            functional_gradients(weakly(self._fill)),
            stacked_parameters(weakly(self._stack)),
            grouped_gradients(weakly(self._group)),
            gradient_edges(weakly(self._point)),
            nodes_of_tensors(weakly(self._point)),
            *hook_registrations(weakly(self._register)),
        ]
        self._interceptions = Interceptions(self, guard, around)
        self._leaving = False
        self._told: set[str] = set()
        self.gates: AskedGradients = _NoGates()

    def follow(self, *, needed: bool) -> None:
        """Stand there from now on, or until the next step is over."""
        self._leaving = not needed
        if needed:
            self._interceptions.follow(needed=True)

    def boundary(self) -> None:
        """Leave if nothing stands any more: graphs from before are used up by now."""
        if self._leaving:
            self.remove()

    def remove(self) -> None:
        """Leave at once. Idempotent."""
        self._leaving = False
        self._interceptions.follow(needed=False)

    def _run(
        self,
        engine: Callable[..., Sequence[Tensor | None]],
        outputs: Sequence[Asked],
        grads: Sequence[Tensor | None],
        keep_graph: bool,
        create_graph: bool,
        inputs: Sequence[Asked],
        allow_unreachable: bool = False,
        accumulate_grad: bool = False,
    ) -> tuple[Tensor | None, ...]:
        """Run autograd from those outputs that carry a gradient, to those inputs that take one."""
        starts = [at for at, output in enumerate(outputs) if not _is_untrained(output)]
        ends = [at for at, asked in enumerate(inputs) if not _is_untrained(asked)]
        found: list[Tensor | None] = [None] * len(inputs)
        if starts and (ends or not inputs):
            reached = engine(
                tuple(outputs[at] for at in starts),
                tuple(grads[at] for at in starts),
                keep_graph,
                create_graph,
                tuple(inputs[at] for at in ends),
                allow_unreachable=True,
                accumulate_grad=accumulate_grad,
            )
            for at, grad in zip(ends, reached or (), strict=False):
                found[at] = grad
        else:
            self._tell("asked for gradients where nothing requires one")
        if accumulate_grad:
            if not starts:
                self._backward_ended()
            with self._guard:
                self._record_without_gradient(inputs)
                self.gates.backward_returned()
            return tuple(found)
        for at, (asked, grad) in enumerate(zip(inputs, found, strict=True)):
            with self._guard:
                found[at] = self._answer(asked, grad, allow_unreachable, create_graph)
        return tuple(found)

    def _record_without_gradient(self, inputs: Sequence[Asked]) -> None:
        """Tell gates of the inputs of a ``backward`` that have no gradient after it."""
        for asked in inputs:
            leaf = asked_leaf(asked)
            if leaf is not None and leaf.grad is None:
                self.gates.record_missing(self._table.index_of.get(id(leaf)))

    def _answer(
        self, asked: Asked, grad: Tensor | None, may_be_none: bool, create_graph: bool
    ) -> Tensor | None:
        """Return the gradient of what the script asked for; zeros where there is none."""
        leaf = asked_leaf(asked)
        index = None if leaf is None else self._table.index_of.get(id(leaf))
        with self._guard:
            if grad is not None and index is not None:
                grad = self.gates.pass_asked(index, grad)
            if grad is None:
                self.gates.record_missing(index)
        if grad is not None or may_be_none:
            return grad
        if isinstance(asked, Tensor):
            return torch.zeros_like(asked, requires_grad=create_graph)
        return zeros_for(asked, requires_grad=create_graph)

    def _register(
        self, register: Callable[..., Any], tensor: Tensor, *hook: Any, **named: Any
    ) -> Any:
        """Register a hook; on a frozen parameter for the time after, elsewhere never called."""
        if not _is_untrained(tensor):
            return register(tensor, *hook, **named)
        if not (hook or named):  # retain_grad
            return None
        if id(tensor) not in self._table.index_of or observed_by_transforms():
            self._tell("registered a hook on a tensor that requires no gradient")
            return RemovableHandle(OrderedDict())
        set_requires_grad(tensor, True)
        try:
            return register(tensor, *hook, **named)
        finally:
            set_requires_grad(tensor, False)

    def _fill(
        self,
        grad: Callable[..., Sequence[Tensor | None]],
        outputs: object,
        inputs: Sequence[Tensor],
        *args: Any,
        is_grads_batched: bool = False,
        **named: Any,
    ) -> Sequence[Tensor | None]:
        """Give zeros for what gets nothing: strict calls take nothing for a mistake."""
        if is_grads_batched:  # no strict call, and it makes zeros itself, as many as it needs
            return grad(outputs, inputs, *args, is_grads_batched=True, **named)
        return tuple(
            torch.zeros_like(asked, requires_grad=True) if found is None else found
            for asked, found in zip(inputs, grad(outputs, inputs, *args, **named), strict=True)
        )

    def _stack(self, stack: Callable[..., Tensor], tensors: Sequence[Tensor], name: str) -> Tensor:
        """Stack parameters of which a command has frozen some as if it had frozen none."""
        if any(tensor.requires_grad for tensor in tensors):
            tensors = tuple(
                tensor.detach().requires_grad_() if id(tensor) in self._table.index_of else tensor
                for tensor in tensors
            )
        return stack(tensors, name)

    def _group(
        self, group: Callable[..., Any], lists: Sequence[Sequence[Tensor | None]], *more: Any
    ) -> Any:
        """Make no group where there is no gradient: torch raises there."""
        return group(lists, *more) if all(lists) else {}

    def _point(self, find: Callable[[Asked], Any], asked: Asked) -> Any:
        """Find the node that a gradient goes to; none will go to that of what is untrained."""
        if not _is_untrained(asked):
            return find(asked)
        if id(asked) not in self._table.index_of or observed_by_transforms():
            return find(_never_reached(asked))
        set_requires_grad(asked, True)
        try:
            return find(asked)
        finally:
            set_requires_grad(asked, False)

    def _tell(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            logger.info(
                "gradgate: the script %s, while parameters are frozen or gated by command; it is "
                "let through, and nothing happens.",
                what,
            )


def _never_reached(tensor: Tensor) -> Tensor:
    """Return what looks like a tensor, and has a node that no graph leads to."""
    with torch.enable_grad():
        leaf = torch.empty((), dtype=tensor.dtype, device=tensor.device, requires_grad=True)
        return leaf.expand(tensor.shape)


def _is_untrained(asked: Asked) -> TypeGuard[Tensor]:
    """Return whether a tensor that could require a gradient requires none."""
    if not isinstance(asked, Tensor) or asked.requires_grad:
        return False
    return asked.is_floating_point() or asked.is_complex()
