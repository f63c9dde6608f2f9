"""Runs the bodies of hooks on optimizers guarded, and on the probe's account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.compiler import is_dynamo_compiling

from ..base.guard import Guard
from ..live.alerts import Alerts
from ..torch_compat.dynamo import compile_with_callers_only, compiles_calls
from .run_state import RunState


class HookRunner:
    """Keeps the probe's faults out of the training loop, and its time on the probe's account."""

    def __init__(self, state: RunState, alerts: Alerts, guard: Guard) -> None:
        self._state = state
        self._alerts = alerts
        self._guard = guard
        self._is_own = True
        """Whether this was the run's own process when that was asked last."""
        compile_with_callers_only(HookRunner.run)
        compile_with_callers_only(HookRunner.go_on)
        self._run_apart: Callable[..., None] = torch.compiler.disable(self._run)
        self._go_on_apart: Callable[..., None] = torch.compiler.disable(self._go_on)

    def run(self, body: Callable[..., None], /, *args: Any, **named: Any) -> None:
        """Call a hook's body, but in a forked child: the run is another process's."""
        # Compiled optimizers trace their hooks; ours are to be left alone.
        if is_dynamo_compiling() or compiles_calls():
            self._run_apart(body, *args, **named)
        else:
            self._run(body, *args, **named)

    def go_on(self, body: Callable[..., None], /, *args: Any, **named: Any) -> None:
        """The same for what follows in a step: to ask for the process costs a call of the system.

        No job forks inside a step, and goes on with it in the child.
        """
        if is_dynamo_compiling() or compiles_calls():
            self._go_on_apart(body, *args, **named)
        else:
            self._go_on(body, *args, **named)

    def _run(self, body: Callable[..., None], /, *args: Any, **named: Any) -> None:
        self._is_own = self._state.in_own_process()
        self._go_on(body, *args, **named)

    def _go_on(self, body: Callable[..., None], /, *args: Any, **named: Any) -> None:
        if self._is_own:
            self._guard.run(body, *args, **named)
            self._alerts.raise_failure()
