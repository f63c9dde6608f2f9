"""The modules of the models by path, and where their forwards are written."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Mapping
from types import CodeType

from torch import nn

from ..base.source import Callers, Place

CONTAINER = nn.Module.forward
"""The forward of what has none of its own, such as a ParameterList."""


class ModuleIndex:
    """Finds modules, their parents, and the source of their forwards."""

    def __init__(self, models: Mapping[str, nn.Module], callers: Callers) -> None:
        self._callers = callers
        self.modules: dict[str, nn.Module] = {}
        self.paths: dict[int, str] = {}
        """By ``id`` of the module; the first path of one that has several."""
        for key, model in models.items():
            for path, module in model.named_modules(remove_duplicate=False):
                full = ".".join(part for part in (key, path) if part)
                self.modules[full] = module
                self.paths.setdefault(id(module), full)

    def owner(self, path: str) -> str:
        """The module itself, or the nearest one above it that has a forward."""
        while path and not has_forward(self.modules[path]):
            path = path.rpartition(".")[0]
        return path

    def above(self, path: str) -> str | None:
        """The nearest module above that has a forward; None above the root."""
        while path:
            path = path.rpartition(".")[0]
            if path in self.modules and has_forward(self.modules[path]):
                return path
        return None

    def forward_of(self, path: str) -> Place | None:
        """The ``def`` line of a module's forward, where that is the user's or a library's."""
        code = self.code_of(path)
        if code is None:
            return None
        line = code.co_firstlineno  # of the first decorator, if there is one
        while (text := linecache.getline(code.co_filename, line)) and "def " not in text:
            line += 1
        return Place(code.co_filename, line if text else code.co_firstlineno, code.co_name)

    def code_of(self, path: str) -> CodeType | None:
        """The code of a module's forward, where that is the user's or a library's."""
        function = inspect.unwrap(getattr(self.modules.get(path), "forward", None) or CONTAINER)
        code: CodeType | None = getattr(function, "__code__", None)
        return None if code is None or self._callers.is_torch(code) else code

    def name(self, path: str) -> str:
        """How a module is called in a sentence."""
        if path:
            return f"`{path}`"
        module = self.modules.get(path)
        return "the model" if module is None else f"`{type(module).__name__}`"


def has_forward(module: nn.Module) -> bool:
    """Whether a module can be called; its forward may be that of its class, or its own."""
    return "forward" in vars(module) or type(module).forward is not CONTAINER
