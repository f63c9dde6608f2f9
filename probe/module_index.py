"""The modules of the models by path, and where their forwards are written."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Mapping

from torch import nn

from .places import Callers, Place

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
        while path and type(self.modules[path]).forward is CONTAINER:
            path = path.rpartition(".")[0]
        return path

    def above(self, path: str) -> str | None:
        """The nearest module above that has a forward; None above the root."""
        while path:
            path = path.rpartition(".")[0]
            if path in self.modules and type(self.modules[path]).forward is not CONTAINER:
                return path
        return None

    def forward_of(self, path: str) -> Place | None:
        """The ``def`` line of a module's forward, where that is the user's or a library's."""
        module = self.modules.get(path)
        function = inspect.unwrap(getattr(module, "forward", None) or CONTAINER)
        code = getattr(function, "__code__", None)
        if code is None or self._callers.is_torch(code):
            return None
        line = code.co_firstlineno  # of the first decorator, if there is one
        while (text := linecache.getline(code.co_filename, line)) and "def " not in text:
            line += 1
        return Place(code.co_filename, line if text else code.co_firstlineno, code.co_name)

    def name(self, path: str) -> str:
        """How a module is called in a sentence."""
        if path:
            return f"`{path}`"
        module = self.modules.get(path)
        return "the model" if module is None else f"`{type(module).__name__}`"
