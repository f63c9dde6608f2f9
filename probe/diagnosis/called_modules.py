"""Which modules a traced step called, and which of them is running."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from ..base.guard import Guard
from ..base.source import Callers, Chain
from ..torch_compat.module_hooks import ModuleHook
from .module_index import ModuleIndex


class CalledModules:
    """Follows every call of the models' modules.

    It hooks each of them. A global hook would do in one, but a compiled module warns of those
    (``torch._dynamo.eval_frame.OptimizedModule``).
    """

    def __init__(self, index: ModuleIndex, callers: Callers, guard: Guard) -> None:
        self._paths = index.paths
        self._modules: Mapping[int, nn.Module] = {id(m): m for m in index.modules.values()}
        self._callers = callers
        self._guard = guard
        self._running: list[nn.Module] = []
        self._handles: list[RemovableHandle] = []
        self.called: dict[int, Chain] = {}
        """Who called each module first, by the module's ``id``."""
        self._thread = 0
        self._sharded: set[int] = set()
        self.elsewhere: set[int] = set()
        """``id`` of the modules that ran in another thread, which is not traced."""

    def start(self) -> None:
        """Watch."""
        self._thread = threading.get_ident()
        for module in self._modules.values():
            # Its class is known by name: to import it would cost every job a second.
            if any(type(parameter).__name__ == "DTensor" for parameter in module.parameters(False)):
                self._sharded.add(id(module))
            if isinstance(module, torch.jit.ScriptModule):
                continue  # takes no hooks
            self._handles += [
                module.register_forward_pre_hook(ModuleHook(self._guarded(self._enter))),
                module.register_forward_hook(
                    ModuleHook(self._guarded(self._leave)), always_call=True
                ),
            ]

    def stop(self) -> None:
        """Watch no longer."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    @property
    def path(self) -> str | None:
        """Where the innermost running module is; None outside of all."""
        return self._paths[id(self._running[-1])] if self._running else None

    def hidden(self, module: nn.Module) -> str | None:
        """Why nothing is known of what a module did, if that is so."""
        if isinstance(module, torch.jit.ScriptModule):
            return "its module is TorchScript, which does not show its inside"
        if id(module) in self._sharded:
            return "it is sharded, and the step works with other tensors in its place"
        return "its module ran in another thread" if id(module) in self.elsewhere else None

    def _enter(self, module: nn.Module) -> None:
        self._running.append(module)
        if id(module) not in self.called:
            self.called[id(module)] = self._callers.chain()

    def _leave(self, module: nn.Module) -> None:
        if any(module is running for running in self._running):
            while self._running.pop() is not module:
                pass

    def _guarded(self, note: Callable[[nn.Module], None]) -> Callable[..., None]:
        def hook(module: nn.Module, *_: Any) -> None:
            if threading.get_ident() != self._thread:
                self.elsewhere.add(id(module))
                return
            with self._guard:
                note(module)

        return hook
