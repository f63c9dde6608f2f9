"""Tells when a module of the models is given a parameter or a submodule."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping

from torch import nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from torch.utils.hooks import RemovableHandle


class Registrations:
    """Sees assignments to the models' modules, by torch's global registration hooks.

    They are called for every module of the process, so all that they do is to look whether
    the module is one of ours and to set a flag. A deletion calls no hook, nor does a write
    into ``module._parameters`` itself. The hooks go with this object, at the latest.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.modules.module.register_module_parameter_registration_hook.html
    """

    def __init__(self, models: Mapping[str, nn.Module]) -> None:
        self._watch = _Watch()
        self.follow(models)
        # These hold the watch and not this object, which would never be collected else.
        handles = (
            register_module_parameter_registration_hook(self._watch.on_parameter),
            register_module_module_registration_hook(self._watch.on_module),
        )
        self._finalizer = weakref.finalize(self, _remove, handles)
        self._finalizer.atexit = False

    @property
    def noticed(self) -> bool:
        """Whether there was one since :meth:`forget`."""
        return self._watch.noticed

    def forget(self) -> None:
        """From here on, only what comes counts."""
        self._watch.noticed = False

    def follow(self, models: Mapping[str, nn.Module]) -> None:
        """Watch the modules that the models have now."""
        self._watch.modules = {id(m) for model in models.values() for m in model.modules()}

    def remove(self) -> None:
        """Remove the hooks. Idempotent."""
        self._finalizer()
        self.forget()


class _Watch:
    """What the global hooks hold; a module's id may be that of a dead one, which costs a look."""

    def __init__(self) -> None:
        self.modules: set[int] = set()
        self.noticed = False

    def on_parameter(self, module: nn.Module, name: str, parameter: object) -> None:
        if id(module) in self.modules and module._parameters.get(name) is not parameter:
            self.noticed = True

    def on_module(self, module: nn.Module, name: str, submodule: object) -> None:
        if id(module) in self.modules and module._modules.get(name) is not submodule:
            self.noticed = True


def _remove(handles: Iterable[RemovableHandle]) -> None:
    for handle in handles:
        handle.remove()
