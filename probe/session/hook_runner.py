"""Runs the bodies of hooks guarded, and adds up their time."""

from __future__ import annotations

import time
from collections.abc import Callable

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
        self._spent = 0.0
        """Seconds that hooks took since the last :meth:`take_seconds`."""
        self._began = 0.0
        compile_with_callers_only(HookRunner.run)
        self._apart: Callable[[Callable[[], None]], None] = torch.compiler.disable(self._run)

    def run(self, body: Callable[[], None]) -> None:
        """Call a hook's body."""
        # Compiled optimizers trace their hooks; ours are to be left alone.
        if torch.compiler.is_compiling() or compiles_calls():
            self._apart(body)
        else:
            self._run(body)

    def take_seconds(self, now: float) -> float:
        """Return what hooks took since the last call, the one under way until ``now``."""
        spent = self._spent + now - self._began
        self._spent, self._began = 0.0, now
        return spent

    def _run(self, body: Callable[[], None]) -> None:
        if not self._state.in_own_process():
            return
        self._began = time.perf_counter()
        with self._guard:
            body()
        self._spent += time.perf_counter() - self._began
        self._alerts.raise_failure()
