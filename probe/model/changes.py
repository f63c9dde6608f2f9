"""Keeps the parameter table in step with models that change while they train."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from torch import nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from ..base.guard import Guard, GuardedHook
from ..base.undo import Handles, Undo, whole
from ..torch_compat.module_hooks import untraced
from ..torch_compat.modules import has_child, has_parameter
from .table import ParameterTable

logger = logging.getLogger("gradgate")

PERIOD = 5.0
"""Seconds after which the models are walked for changes that no hook sees."""
SHARE = 0.01
"""The part of the time that walks may take. One costs 2 to 5 µs a parameter."""
ALLOWANCE = 0.25
"""Seconds that walks may take at once, before they are held to their share."""
MOST_ROWS = 100_000
"""The protocol's limit for a table."""


class ModelChanges:
    """Decides when to walk the models, and updates the table if they changed.

    At once after a parameter or a module was assigned to one of their modules, and after
    5 seconds or twice as many steps for changes that nothing tells of: a deletion, a write
    into ``module._parameters``. A job that replaces parameters without end has its table
    grow to ten times its size, and is followed no further.
    """

    def __init__(
        self, models: Mapping[str, nn.Module], table: ParameterTable, step: Callable[[], int]
    ) -> None:
        self._models = models
        self._table = table
        self._step = step
        self._limit = min(MOST_ROWS, 10 * len(table) + 1000)
        self._assignments = Assignments(models)
        self._noticing = self._assignments.noticing
        self._following = True
        self._next_step = 1
        self._next_time = time.monotonic() + PERIOD
        self._debt = 0.0
        """Seconds that walks took above their share."""
        self._counted = time.monotonic()

    @property
    def noticed(self) -> bool:
        """Whether something was assigned to a module of the models since the last walk."""
        return self._noticing.noticed and self._affordable()

    @property
    def due(self) -> bool:
        """Whether it is time to look for what nothing tells of."""
        late = self._step() >= self._next_step or time.monotonic() >= self._next_time
        return late and self._following and self._affordable()

    def walk(self) -> bool:
        """Update the table from the models; return whether it changed."""
        if not self._following:
            return False
        began = time.monotonic()
        step, assigned = self._step(), self._noticing.noticed
        self._assignments.reset()
        changed = self._table.update(self._models, step)
        if assigned or changed:
            self._assignments.follow(self._models)
        if len(self._table) > self._limit:
            self._give_up(step)
        now = time.monotonic()
        self._next_step, self._next_time = max(1, 2 * step), now + PERIOD
        self._debt += now - began
        return changed

    def remove(self) -> None:
        """Follow the models no further, and remove the hooks. Idempotent."""
        self._following = False
        self._assignments.remove()

    def _affordable(self) -> bool:
        now = time.monotonic()
        self._debt = max(0.0, self._debt - SHARE * (now - self._counted))
        self._counted = now
        return self._debt <= ALLOWANCE

    def _give_up(self, step: int) -> None:
        self.remove()
        logger.warning(
            "gradgate: this model replaces its parameters again and again (%d so far), so those "
            "that are new after step %d are not watched; detach and attach again to watch them.",
            len(self._table.removed),
            step,
        )


class Assignments:
    """Notices assignments to the models' modules, by torch's global registration hooks.

    They are called for every module of the process, so all that they do is to look whether
    the module is one of ours and to set a flag. A deletion calls no hook, nor does a write
    into ``module._parameters`` itself. The hooks go with this object, at the latest.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.modules.module.register_module_parameter_registration_hook.html
    """

    def __init__(self, models: Mapping[str, nn.Module]) -> None:
        self.noticing = _Noticing()
        """Tells whether there was one since :meth:`reset`."""
        self.follow(models)
        # These hold this one and not this object, which would never be collected else.
        guard, handles = Guard(), Handles()
        self._end = Undo(guard, self, handles.remove)
        with whole([self._end]):
            handles.add(
                register_module_parameter_registration_hook,
                untraced(GuardedHook(guard, self.noticing.on_parameter)),
            )
            handles.add(
                register_module_module_registration_hook,
                untraced(GuardedHook(guard, self.noticing.on_module)),
            )

    def reset(self) -> None:
        """Count from here on only what comes."""
        self.noticing.noticed = False

    def follow(self, models: Mapping[str, nn.Module]) -> None:
        """Watch the modules that the models have now."""
        self.noticing.modules = {id(m) for model in models.values() for m in model.modules()}

    def remove(self) -> None:
        """Remove the hooks. Idempotent."""
        self._end()
        self.reset()


class _Noticing:
    """What the global hooks hold; a module's id may be that of a dead one, which costs a look."""

    def __init__(self) -> None:
        self.modules: set[int] = set()
        self.noticed = False

    def on_parameter(self, module: nn.Module, name: str, parameter: object) -> None:
        if id(module) in self.modules and not has_parameter(module, name, parameter):
            self.noticed = True

    def on_module(self, module: nn.Module, name: str, submodule: object) -> None:
        if id(module) in self.modules and not has_child(module, name, submodule):
            self.noticed = True
