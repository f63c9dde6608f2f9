"""Which modules a traced step called, and which of them is running."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.utils.hooks import RemovableHandle

from .guard import Guard
from .places import Callers, Chain


class CalledModules:
    """Follows every call of every module, the unregistered ones too."""

    def __init__(self, paths: Mapping[int, str], callers: Callers, guard: Guard) -> None:
        """``paths``: where each known module is, by its ``id``."""
        self._paths = paths
        self._callers = callers
        self._guard = guard
        self._running: list[nn.Module] = []
        self._handles: list[RemovableHandle] = []
        self.called: dict[int, Chain] = {}
        """Who called each module first, by the module's ``id``."""
        self.strangers: dict[int, nn.Module] = {}
        """Modules that were called and that no model has."""

    def start(self) -> None:
        """Watch."""
        self._handles = [
            register_module_forward_pre_hook(self._guarded(self._enter)),
            register_module_forward_hook(self._guarded(self._leave), always_call=True),
        ]

    def stop(self) -> None:
        """Watch no longer."""
        for handle in self._handles:
            handle.remove()

    @property
    def path(self) -> str | None:
        """Where the innermost running module of the models is; None outside of all."""
        for module in reversed(self._running):
            if (path := self._paths.get(id(module))) is not None:
                return path
        return None

    def _enter(self, module: nn.Module) -> None:
        self._running.append(module)
        if id(module) not in self.called:
            self.called[id(module)] = self._callers.chain()
            if id(module) not in self._paths:
                self.strangers[id(module)] = module

    def _leave(self, module: nn.Module) -> None:
        if module in self._running:
            while self._running.pop() is not module:
                pass

    def _guarded(self, note: Callable[[nn.Module], None]) -> Callable[..., None]:
        def hook(module: nn.Module, *_: Any) -> None:
            with self._guard:
                note(module)

        return hook
