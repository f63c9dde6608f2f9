"""Which trainable parameters flow into a module, as one forward shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from .hooks import ModuleHook
from .nested import tensors_in
from .parameters import ParameterTable
from .selection import module_paths


@dataclass
class Upstream:
    """What flowed into one module, over all of its calls."""

    called: bool = False
    indexes: list[int] = field(default_factory=list)
    """The parameters whose gradient comes through the module's inputs."""
    foreign: bool = False
    """Also a leaf that is no parameter of the table asks for its gradient there."""


class UpstreamObserver:
    """Watches modules for one forward and walks the graph that leads to their inputs."""

    def __init__(
        self, models: Mapping[str, nn.Module], table: ParameterTable, ignored: Tensor
    ) -> None:
        self._models = models
        self._table = table
        self._ignored = ignored
        self._handles: list[RemovableHandle] = []
        self._seen: dict[str, Upstream] = {}

    def watch(self, paths: Iterable[str]) -> None:
        """Watch these modules until :meth:`take`."""
        modules = module_paths(self._models)
        for path in paths:
            upstream = self._seen.setdefault(path, Upstream())

            def hook(module: nn.Module, args: Any, kwargs: Any, seen: Upstream = upstream) -> None:
                self._look(seen, (args, kwargs))

            self._handles.append(
                modules[path].register_forward_pre_hook(
                    ModuleHook(hook), prepend=True, with_kwargs=True
                )
            )

    def take(self) -> dict[str, Upstream]:
        """Return what was seen, by path, and watch no longer."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        seen, self._seen = self._seen, {}
        return seen

    def _look(self, seen: Upstream, inputs: Any) -> None:
        if not torch.is_grad_enabled():
            return
        seen.called = True
        for leaf in _leaves(tensors_in(inputs)):
            index = self._table.index_of.get(id(leaf))
            if index is not None and index not in seen.indexes:
                seen.indexes.append(index)
            seen.foreign |= index is None and leaf is not self._ignored


def _leaves(tensors: Iterable[Tensor]) -> list[Tensor]:
    """The leaves that a backward from ``tensors`` would reach."""
    leaves = {id(t): t for t in tensors if t.requires_grad and t.grad_fn is None}
    nodes = [t.grad_fn for t in tensors if t.grad_fn is not None]
    visited = set(nodes)
    while nodes:
        node = nodes.pop()
        variable = getattr(node, "variable", None)
        if isinstance(variable, Tensor):
            leaves[id(variable)] = variable
        for below, _ in node.next_functions:
            if below is not None and below not in visited:
                visited.add(below)
                nodes.append(below)
    return list(leaves.values())
