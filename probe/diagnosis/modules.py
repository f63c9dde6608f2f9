"""The modules of the models: their paths and forwards, and which of them a traced step called."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any

import torch
from torch import nn

from ..base.guard import Guard
from ..base.source import Callers, Chain, Place, defined_at
from ..base.undo import Handles
from ..torch_compat.fsdp import ShardedGroups, flattened
from ..torch_compat.module_hooks import ModuleHook

CONTAINER = nn.Module.forward
"""The forward of what has none of its own, such as a ParameterList."""


class ModuleIndex:
    """Finds modules, their parents, and the source of their forwards."""

    def __init__(self, models: Mapping[str, nn.Module], callers: Callers) -> None:
        self._callers = callers
        self.modules: dict[str, nn.Module] = {}
        self.paths: dict[int, str] = {}
        """By ``id`` of the module; the first path of one that has several."""
        self.sharded = ShardedGroups(models)
        self.flattened = flattened(models)
        for key, model in models.items():
            for path, module in model.named_modules(remove_duplicate=False):
                full = ".".join(part for part in (key, path) if part)
                self.modules[full] = module
                self.paths.setdefault(id(module), full)

    def owner(self, path: str) -> str:
        """Find the module itself, or the nearest one above it that has a forward."""
        while path and not has_forward(self.modules[path]):
            path = path.rpartition(".")[0]
        return path

    def above(self, path: str) -> str | None:
        """Find the nearest module above that has a forward; None above the root."""
        while path:
            path = path.rpartition(".")[0]
            if path in self.modules and has_forward(self.modules[path]):
                return path
        return None

    def forward_of(self, path: str) -> Place | None:
        """Find the ``def`` line of a module's forward, where that is the user's or a library's."""
        code = self.code_of(path)
        return None if code is None else defined_at(code)

    def code_of(self, path: str) -> CodeType | None:
        """Find the code of a module's forward, where that is the user's or a library's."""
        function = inspect.unwrap(getattr(self.modules.get(path), "forward", None) or CONTAINER)
        code: CodeType | None = getattr(function, "__code__", None)
        return None if code is None or self._callers.is_torch(code) else code

    def buffers(self) -> dict[int, str]:
        """Return the name of each buffer, by its ``id``."""
        found: dict[int, str] = {}
        for path, module in self.modules.items():
            for name, buffer in module.named_buffers(recurse=False):
                found.setdefault(id(buffer), f"{path}.{name}" if path else name)
        return found

    def name(self, path: str) -> str:
        """Return how a module is called in a sentence."""
        if path:
            return f"`{path}`"
        module = self.modules.get(path)
        return "the model" if module is None else f"`{type(module).__name__}`"


def has_forward(module: nn.Module) -> bool:
    """Return whether a module can be called; its forward may be that of its class, or its own."""
    return "forward" in vars(module) or type(module).forward is not CONTAINER


class ModuleCalls:
    """Follows every call of the models' modules.

    It hooks each of them. A global hook would do in one, but a compiled module warns of those
    (``torch._dynamo.eval_frame.OptimizedModule``).
    """

    def __init__(self, index: ModuleIndex, callers: Callers, guard: Guard) -> None:
        self._index = index
        self._paths = index.paths
        self._modules: Mapping[int, nn.Module] = {id(m): m for m in index.modules.values()}
        self._callers = callers
        self._guard = guard
        self._running: list[nn.Module] = []
        self._hooks = Handles()
        self.called: dict[int, Chain] = {}
        """Who called each module first, by the module's ``id``."""
        self._thread = 0
        self.elsewhere: set[int] = set()
        """``id`` of the modules that ran in another thread, which is not traced."""

    def start(self) -> None:
        """Hook every module that takes hooks."""
        self._thread = threading.get_ident()
        for module in self._modules.values():
            if isinstance(module, torch.jit.ScriptModule):
                continue  # takes no hooks
            with self._guard:
                enter, leave = (
                    ModuleHook(self._guard, self._here(note)) for note in (self._enter, self._leave)
                )
                self._hooks.add(module.register_forward_pre_hook, enter)
                self._hooks.add(module.register_forward_hook, leave, always_call=True)

    def stop(self) -> None:
        """Take the hooks away."""
        self._hooks.remove()

    @property
    def path(self) -> str | None:
        """Where the innermost running module is; None outside of all."""
        return self._paths[id(self._running[-1])] if self._running else None

    def hidden(self, module: nn.Module) -> str | None:
        """Say why nothing is known of what a module did, if that is so."""
        if isinstance(module, torch.jit.ScriptModule):
            return "its module is TorchScript, which does not show its inside"
        if id(module) in self._index.flattened and id(module) in self.called:
            return "FullyShardedDataParallel (FSDP1) works with a part of a flat one in its place"
        if self._index.sharded.missing is not None:
            return (
                "the model is sharded by a fully_shard (FSDP2) without "
                f"{self._index.sharded.missing!r}, by which the whole parameters would be known"
            )
        return "its module ran in another thread" if id(module) in self.elsewhere else None

    def _enter(self, module: nn.Module) -> None:
        self._running.append(module)
        if id(module) not in self.called:
            self.called[id(module)] = self._callers.chain()

    def _leave(self, module: nn.Module) -> None:
        if any(module is running for running in self._running):
            while self._running.pop() is not module:
                pass

    def _here(self, note: Callable[[nn.Module], None]) -> Callable[..., None]:
        def hook(module: nn.Module, *_: Any) -> None:
            if threading.get_ident() != self._thread:
                self.elsewhere.add(id(module))
                return
            note(module)

        return hook
