"""Keeps the running statistics of BatchNorm and its kin as they are: ``hold_stats``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any

from torch import nn

from ..base.guard import Guard
from ..base.undo import Handles
from ..torch_compat.module_hooks import ModuleHook


class FrozenStatistics:
    """Normalisation modules that use their running statistics and do not update them.

    Each runs as in evaluation, whatever the script's ``model.train()`` says, as is usual for
    a frozen BatchNorm (torchvision's ``FrozenBatchNorm2d``); ``module.training`` is the
    script's again as soon as the call is over.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._hooks: dict[str, Handles] = {}
        self._switched: set[nn.Module] = set()
        self.paused: frozenset[str] = frozenset()
        """Of the modules those that run as the script has them for now, by path."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of the modules whose statistics are frozen."""
        return tuple(self._hooks)

    def freeze(self, modules: Mapping[str, nn.Module]) -> None:
        """Freeze the statistics of these modules too."""
        for path, module in modules.items():
            if path in self._hooks:
                continue
            # A traced forward is a real one, and would move the statistics.
            hooks = partial(self._enter, path), self._leave
            enter, leave = (ModuleHook(self._guard, do, in_traces=True) for do in hooks)
            registered = self._hooks[path] = Handles()
            registered.add(module.register_forward_pre_hook, enter)
            registered.add(module.register_forward_hook, leave, always_call=True)

    def unfreeze(self, paths: Iterable[str]) -> None:
        """Let the statistics of these modules run again."""
        for path in paths:
            if path in self._hooks:
                self._hooks[path].remove()
                del self._hooks[path]

    def unfreeze_all_but(self, paths: Collection[str]) -> None:
        """Let the statistics of all modules but these run again."""
        self.unfreeze([path for path in self.paths if path not in paths])

    def remove(self) -> None:
        """Let all statistics run again."""
        self.unfreeze(self.paths)
        self.reset()

    def reset(self) -> None:
        """Give back ``training`` to modules whose call was interrupted and never left."""
        while self._switched:
            self._switched.pop().training = True

    def _enter(self, path: str, module: nn.Module, args: Any) -> None:
        if module.training and path not in self.paused:
            module.training = False
            self._switched.add(module)

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        if module in self._switched:
            self._switched.discard(module)
            module.training = True
