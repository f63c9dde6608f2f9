"""Modules whose forward runs without a graph: mode ``no_grad``.

A hook that switched the thread's grad mode would leave it off when a forward is
interrupted (Ctrl-C calls no forward hook). So nothing global is switched: what flows into
the module is detached, its parameters do not require a gradient, and what it returns is
detached again. The values are the same, and as under :func:`torch.no_grad` no activation is
saved and no gradient passes.

That cuts nothing that trains: what flows in carries no gradient when the mode is taken. If
ever it does later (a discriminator that was given detached samples, and now the
generator's), that call runs with its graph, and the module is named in ``cutting``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..base.guard import Guard
from ..base.undo import Handles
from ..torch_compat.module_hooks import ModuleHook
from ..torch_compat.tree import map_tensors, tensors_in


class NoGradModules:
    """The modules that run without a graph now, by path."""

    def __init__(self, harmless: Callable[[Tensor], bool], guard: Guard) -> None:
        """``harmless``: whether a tensor's gradient reaches nothing but the probe's own leaf."""
        self._harmless = harmless
        self._guard = guard
        self._hooks: dict[str, Handles] = {}
        self._whole: set[nn.Module] = set()
        """Modules whose present call runs with its graph."""
        self.cutting: set[str] = set()
        """The modules, by path, that would have cut something off since this was last cleared."""
        self.paused: frozenset[str] = frozenset()
        """Of the modules those that run with their graph for now, by path."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of the modules that run without a graph."""
        return tuple(self._hooks)

    def set(self, modules: Mapping[str, nn.Module]) -> None:
        """Let exactly these modules run without a graph from their next call on."""
        self._drop(path for path in self.paths if path not in modules)
        for path, module in modules.items():
            if path in self._hooks:
                continue
            hooks = self._hooks[path] = Handles()
            enter = ModuleHook(self._guard, partial(self._enter, path))
            hooks.add(module.register_forward_pre_hook, enter, with_kwargs=True)
            leave = ModuleHook(self._guard, self._leave)
            hooks.add(module.register_forward_hook, leave, prepend=True)

    def remove(self) -> None:
        """Let every module run as the script has it."""
        self._drop(self.paths)

    def _drop(self, paths: Iterable[str]) -> None:
        for path in list(paths):
            self._hooks[path].remove()
            del self._hooks[path]
            self.cutting.discard(path)

    def _enter(self, path: str, module: nn.Module, args: Any, kwargs: Any) -> Any:
        self._whole.add(module)  # as it is to be where anything here fails
        if not torch.is_grad_enabled() or path in self.paused:
            return None
        if not all(map(self._harmless, tensors_in((args, kwargs)))):
            self.cutting.add(path)
            return None
        detached = map_tensors(_detached, (args, kwargs))
        self._whole.discard(module)
        return detached

    def _leave(self, module: nn.Module, args: Any, output: Any) -> Any:
        if module in self._whole or not torch.is_grad_enabled():
            return None
        return map_tensors(_detached, output)


def _detached(tensor: Tensor) -> Tensor:
    return tensor.detach() if tensor.requires_grad else tensor
