"""What flows into a module: the trainable parameters whose gradient passes through its inputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..base.guard import Guard
from ..base.undo import Handles, whole
from ..torch_compat.module_hooks import ModuleHook
from ..torch_compat.modules import register_first
from ..torch_compat.tree import tensors_in
from .graph_walk import leaves
from .table import ParameterTable


@dataclass(frozen=True)
class Upstream:
    """What the inputs of modules carried, all calls together."""

    called: bool
    """A module was called with gradients enabled; otherwise nothing is known."""
    indexes: list[int]
    """The parameters that get a gradient through the inputs, in table order."""
    foreign: bool
    """Something else does, or may: a leaf that is no watched parameter (an input being
    optimised), or the inside of a reentrant checkpoint."""

    @property
    def carries(self) -> bool:
        """Whether a gradient passes through the inputs."""
        return self.foreign or bool(self.indexes)


class UpstreamObserver:
    """Watches calls of modules from its making until :meth:`remove`, and changes nothing.

    It walks the autograd graph from the inputs to its leaves. A reentrant checkpoint hides
    its inside from that walk: where it was given a module, the trainable parameters of that
    module are taken; where it was given another function, its node counts as foreign. A
    module *inside* a reentrant checkpoint is seen when the backward runs it again, and then
    what enters the checkpoint looks like a foreign leaf; so ask after the backward. A call
    inside a compiled function is not seen.
    """

    def __init__(
        self,
        modules: Iterable[nn.Module],
        table: ParameterTable,
        guard: Guard,
        ignored: Iterable[Tensor] = (),
    ) -> None:
        """``ignored``: leaves that do not count, such as the target's own parameters."""
        self._table = table
        self._guard = guard
        self._ignored = {id(tensor): tensor for tensor in ignored}
        self._called = False
        self._foreign = False
        self._indexes: set[int] = set()
        self._hooks = Handles()
        with whole([self.remove]):
            for module in modules:
                hook = ModuleHook(guard, self._enter)
                self._hooks.add(register_first, module, hook, with_kwargs=True)

    def seen(self) -> Upstream:
        """What the calls so far carried."""
        return Upstream(self._called, sorted(self._indexes), self._foreign)

    def remove(self) -> None:
        """Watch no longer. Idempotent."""
        self._hooks.remove()

    def _enter(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        if torch.compiler.is_compiling() or not torch.is_grad_enabled():
            return
        with self._guard:
            for leaf in leaves(tensors_in((args, kwargs))):
                self._add(leaf)
            self._called = True

    def _add(self, leaf: Tensor | None) -> None:
        if id(leaf) in self._ignored:
            return
        index = None if leaf is None else self._table.index_of.get(id(leaf))
        if index is None:
            self._foreign = True
        else:
            self._indexes.add(index)
