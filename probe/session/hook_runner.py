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
        self._is_own: bool | None = None
        """Whether this is the run's own process; None: not asked yet in this step."""
        for entry in (HookRunner.run, HookRunner.run_unless, HookRunner.go_on_unless):
            compile_with_callers_only(entry)
        self._run_apart: Callable[..., None] = torch.compiler.disable(self._run)
        self._go_on_apart: Callable[..., None] = torch.compiler.disable(self._go_on)

    def run(self, body: Callable[..., None], /, *args: Any, **named: Any) -> None:
        """Call a hook's body, but in a forked child: the run is another process's."""
        # Compiled optimizers trace their hooks; ours are to be left alone.
        if is_dynamo_compiling() or compiles_calls():
            self._run_apart(body, *args, **named)
        else:
            self._run(body, *args, **named)

    def run_unless(
        self, passed: Callable[..., bool], body: Callable[..., None], k: int, /, *args: Any
    ) -> None:
        """Call a hook's body for optimizer k, but where ``passed``, called first and so, says True.

        It has found nothing to do, or has done all, in few calls: a step takes the place of the
        probe's code in the processor's caches, and most of what a hook costs is to get it back.
        """
        if is_dynamo_compiling() or compiles_calls():
            self._run_apart(body, k, *args)
        else:
            self._is_own = None
            if not passed(k, *args):
                self._go_on(body, k, *args)

    def go_on_unless(
        self,
        passed: Callable[..., bool],
        body: Callable[..., None],
        k: int,
        /,
        *args: Any,
        **named: Any,
    ) -> None:
        """The same for what follows in a step: to ask for the process costs a call of the system.

        No job forks inside a step, and goes on with it in the child.
        """
        if is_dynamo_compiling() or compiles_calls():
            self._go_on_apart(body, k, *args, **named)
        elif not passed(k, *args, **named):
            self._go_on(body, k, *args, **named)

    def _run(self, body: Callable[..., None], /, *args: Any, **named: Any) -> None:
        self._is_own = None
        self._go_on(body, *args, **named)

    def _go_on(self, body: Callable[..., None], /, *args: Any, **named: Any) -> None:
        if self._is_own is None:
            self._is_own = self._state.in_own_process()
        if self._is_own:
            self._guard.run(body, *args, **named)
            self._alerts.raise_failure()
