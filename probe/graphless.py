"""Modules whose forward runs without a graph: mode ``no_grad``.

A hook that switched the thread's grad mode would leave it off when a forward is
interrupted (Ctrl-C calls no forward hook). So nothing global is switched: what flows into
the module is detached, its parameters do not require a gradient, and what it returns is
detached again. The values are the same, and as under :func:`torch.no_grad` no activation is
saved and no gradient passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from .hooks import ModuleHook
from .nested import map_tensors


class GraphlessModules:
    """The modules that run without a graph now, by path."""

    def __init__(self) -> None:
        self._handles: dict[str, list[RemovableHandle]] = {}

    @property
    def paths(self) -> tuple[str, ...]:
        """The modules' paths."""
        return tuple(self._handles)

    def set(self, modules: Mapping[str, nn.Module]) -> None:
        """Let exactly these modules run without a graph from their next call on."""
        self._drop(path for path in self.paths if path not in modules)
        for path, module in modules.items():
            if path not in self._handles:
                self._handles[path] = [
                    module.register_forward_pre_hook(ModuleHook(_enter), with_kwargs=True),
                    module.register_forward_hook(ModuleHook(_leave), prepend=True),
                ]

    def remove(self) -> None:
        """Let every module run as the script has it."""
        self._drop(self.paths)

    def _drop(self, paths: Iterable[str]) -> None:
        for path in list(paths):
            for handle in self._handles.pop(path):
                handle.remove()


def _enter(module: nn.Module, args: Any, kwargs: Any) -> Any:
    return map_tensors(_detached, (args, kwargs)) if torch.is_grad_enabled() else None


def _leave(module: nn.Module, args: Any, output: Any) -> Any:
    return map_tensors(_detached, output) if torch.is_grad_enabled() else None


def _detached(tensor: Tensor) -> Tensor:
    return tensor.detach() if tensor.requires_grad else tensor
