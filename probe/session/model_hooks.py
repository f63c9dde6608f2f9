"""The hooks on the models themselves: a forward begins, weights were loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from ..base.guard import Guard
from ..base.undo import Handles, whole
from ..freeze.freezer import Freezer
from ..gates.gates import Gates
from ..live.alerts import Alerts
from ..live.explainer import Explainer
from ..live.restraints import Restraints
from ..measure.backward_timer import BackwardTimer
from ..measure.measurement import Measurement
from ..model.table import ParameterTable
from ..steer.writers import Writers
from ..torch_compat.autograd import is_exported
from ..torch_compat.dynamo import compile_with_callers_only, compiles_calls
from ..torch_compat.module_hooks import HooksApart, ModuleHook
from ..torch_compat.modules import forward_pre_hooks
from ..torch_compat.readback import capturing
from .alignment import Alignment
from .lull import Lull
from .run_state import RunState


class _ForwardHook(ModuleHook):
    """As a forward begins at which nobody looks, it notes no more than that.

    In as few calls as that takes: the step before has driven their code out of the processor's
    caches, and to get it back costs more than all that they do.
    """

    def __init__(
        self,
        guard: Guard,
        function: Callable[..., Any],
        state: RunState,
        lull: Lull,
        timer: BackwardTimer,
    ) -> None:
        super().__init__(guard, function)
        self._state = state
        self._lull = lull
        self._timer = timer
        compile_with_callers_only(_ForwardHook.run)

    def run(self, *args: Any, **named: Any) -> Any:
        """Call the function, guarded, unless nobody looks."""
        unseen = self._lull.is_on and self._timer.rests and torch.is_grad_enabled()
        if unseen and (compiles_calls() or not is_exported()):
            self._state.between = False
            return None
        return super().run(*args, **named)


class ModelHooks:
    """Follows what happens to the models; by them a model leads to what is attached to it."""

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        table: ParameterTable,
        state: RunState,
        measurement: Measurement,
        freezer: Freezer,
        gates: Gates,
        writers: Writers,
        explainer: Explainer,
        alerts: Alerts,
        restraints: Restraints,
        alignment: Alignment,
        lull: Lull,
        guard: Guard,
    ) -> None:
        self.table = table
        self.freezer = freezer
        self.gates = gates
        self._state = state
        self._measurement = measurement
        self._writers = writers
        self._explainer = explainer
        self._alerts = alerts
        self._restraints = restraints
        self._alignment = alignment
        self._lull = lull
        self._guard = guard
        self._apart = HooksApart(guard)
        self._hooks = Handles()
        with whole([self.remove]):
            for model in models.values():
                self._register(model)

    def _register(self, model: nn.Module) -> None:
        guard, add = self._guard, self._hooks.add
        begins = _ForwardHook(
            guard, self._forward_begins, self._state, self._lull, self._measurement.timer
        )
        add(model.register_forward_pre_hook, begins)
        add(model.register_load_state_dict_post_hook, ModuleHook(guard, self._weights_loaded))

    @classmethod
    def find(cls, models: Mapping[str, nn.Module]) -> ModelHooks | None:
        """Return the hooks that are on some models, or None."""
        for model in models.values():
            for hook in forward_pre_hooks(model):
                owner = hook.owner if isinstance(hook, ModuleHook) else None
                if isinstance(owner, cls):
                    return owner
        return None

    def remove(self) -> None:
        """Remove every hook. Idempotent."""
        self._hooks.remove()
        self._apart.remove()

    def _forward_begins(self, model: nn.Module, *_: object) -> None:
        compiling = torch.compiler.is_compiling()
        if not compiling:
            with self._guard:
                self._measurement.timer.forward_begins(model)
        if torch.is_grad_enabled():
            if self._explainer.late:
                with self._guard:
                    self._explainer.conclude(self._state.step)
            self._state.between = False
            # What is captured in a CUDA graph has no values that a trace could read.
            if self._explainer.tracing and not compiling and capturing():
                self._explainer.stop()
            # What is compiled now takes no gates, nor will it break its graph for them.
            if len(self.gates.registry) and not compiling:
                with self._guard:
                    self.gates.blocked.decide_before_forward()
            # A run in which no step is seen has no other place to fail.
            self._alerts.raise_failure()

    def _weights_loaded(self, *_: object) -> None:
        with self._guard:
            self._writers.look("load_state_dict()", self._state.step + 1)
        with self._guard:
            self._restraints.weights_loaded()
        # With assign=True the parameters are others from now on.
        if len(self.gates.registry) and self._state.at_boundary():
            self._alignment.follow_model()
            self._alignment.follow_gates()
