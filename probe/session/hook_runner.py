"""Runs the bodies of hooks on optimizers guarded, and on the probe's account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

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
        compile_with_callers_only(HookRunner.run)
        self._apart: Callable[..., None] = torch.compiler.disable(self._run)

    def run(self, body: Callable[..., None], /, *args: Any, **named: Any) -> None:
        """Call a hook's body."""
        # Compiled optimizers trace their hooks; ours are to be left alone.
        if torch.compiler.is_compiling() or compiles_calls():
            self._apart(body, *args, **named)
        else:
            self._run(body, *args, **named)

    def _run(self, body: Callable[..., None], /, *args: Any, **named: Any) -> None:
        if not self._state.in_own_process():
            return
        self._guard.run(body, *args, **named)
        self._alerts.raise_failure()
