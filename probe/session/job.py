"""The parts of a run, and their end."""

from __future__ import annotations

import atexit
import logging
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from torch import nn
from torch.optim import Optimizer

from ..base.errors import CommandError
from ..base.guard import Guard, GuardedHook
from ..distributed.ranks import Ranks
from ..freeze.freezer import Freezer
from ..gates.gates import Gates
from ..gates.labels import ATTACHED
from ..link.uplink import Uplink
from ..live.alerts import Alerts
from ..live.expected import Expected
from ..live.explainer import Explainer
from ..live.no_steps import NoSteps
from ..measure.measurement import Measurement
from ..measure.totals import StepTotals
from ..model.table import ParameterTable
from ..notebook.frontend import Cell
from ..progress.progress import Progress
from ..steer.preview_requests import PreviewRequests
from ..steer.queue import CommandQueue
from ..steer.reports import Reports
from ..steer.steering import Steering
from ..torch_compat.wrappers import Wrappers
from .alignment import Alignment
from .boundaries import Boundaries
from .checkpoint import Checkpoint
from .delivery import Delivery
from .model_hooks import ModelHooks
from .run_state import RunState
from .script_commands import ScriptCommands
from .server_requests import ServerRequests
from .step_cycle import StepCycle

logger = logging.getLogger("gradgate")


@dataclass(frozen=True, eq=False)
class Job:
    """What is at work in a training job: a record, which has every part since it ends them all."""

    id: str
    name: str
    expected: Expected
    """What the script declared."""
    cell: Cell | None
    """The cell of a notebook that attached it."""
    models: Mapping[str, nn.Module]
    optimizers: Sequence[Optimizer]
    guard: Guard
    state: RunState
    table: ParameterTable
    wrappers: Wrappers
    measurement: Measurement
    totals: StepTotals
    ranks: Ranks | None
    uplink: Uplink
    freezer: Freezer
    gates: Gates
    reports: Reports
    queue: CommandQueue
    steering: Steering
    previews: PreviewRequests
    alerts: Alerts
    no_steps: NoSteps
    explainer: Explainer
    progress: Progress
    alignment: Alignment
    delivery: Delivery
    cycle: StepCycle
    boundaries: Boundaries
    model_hooks: ModelHooks
    commands: ScriptCommands
    checkpoint: Checkpoint
    requests: ServerRequests
    at_exit: Callable[[], None]
    """The hook that says goodbye where the program ends without a detach."""

    def end(self, *, failed: bool) -> None:
        """Undo everything that was done to the model, and say goodbye. Idempotent.

        Where gates decide on what all ranks apply, all end together, or none does. An interrupt
        (Ctrl-C) is raised once all is undone.
        """
        if not self.state.attached or not (failed or self._may_open_gates()):
            return
        self.state.attached = False
        steps: list[Callable[[], None]] = [
            self.explainer.stop,
            self.no_steps.remove,
            self.boundaries.remove,
            self.model_hooks.remove,
            self.totals.stop,
            self.measurement.remove,
            self.progress.remove,
            self.wrappers.remove,
            self.steering.stop,
            self.previews.stop,
            self._unlabel,
            self.gates.registry.remove,
        ]
        with ExitStack() as ending:  # which calls them all, whatever one of them raises
            ending.callback(self._say_goodbye, failed=failed)
            ending.callback(self.guard.undo, partial(self._restore, failed=failed))
            for step in reversed(steps):
                ending.callback(self.guard.undo, step)

    def _restore(self, *, failed: bool) -> None:
        """Give back what was frozen by command, where all ranks do, and part from them."""
        if self.ranks is None:
            self.guard.undo(self.freezer.restore)
            return
        with self.guard.attempt() as attempt:
            if self._may_restore(self.ranks, failed=failed):
                self.guard.undo(self.freezer.restore)
        if attempt.fault:
            logger.warning("gradgate: what was frozen by command stays frozen: %s", attempt.fault)
        with self.guard:
            self.ranks.leave()

    def _say_goodbye(self, *, failed: bool) -> None:
        self.delivery.close(failed=failed)
        atexit.unregister(self.at_exit)

    def _unlabel(self) -> None:
        ATTACHED.discard(self.gates.runtime)

    def _may_open_gates(self) -> bool:
        """Return whether no rank goes on with gates alone: its weights would become others."""
        gates = [gate.id for gate in self.gates.runtime.gates() if gate.is_reduced]
        if not gates or self.ranks is None or not self.ranks.talking:
            return True
        try:
            self.ranks.agree(self.state.step, {"detach": True})
        except CommandError as error:
            logger.warning(
                "gradgate: this run goes on, with its gates on parameters (%s), which the other "
                "ranks go on with, too: %s",
                ", ".join(map(str, gates)),
                error,
            )
            return False
        return True

    def _may_restore(self, ranks: Ranks, *, failed: bool) -> bool:
        """Return whether all ranks detach together: one alone must not flip anything."""
        if not self.freezer.records.touched:
            return True
        if failed:
            return False
        try:
            ranks.agree(self.state.step, {"detach": True})
        except CommandError as error:
            logger.warning("gradgate: what was frozen by command stays frozen: %s", error)
            return False
        return True


def close_at_exit(delivery: Delivery, guard: Guard, *, interactive: bool) -> Callable[[], None]:
    """Say goodbye when the program ends, if the run is still there; return the hook.

    The hook keeps nothing alive; the model does, by its own hooks. ``interactive``: an error in
    one cell of a notebook does not end the program.
    """
    found = weakref.ref(delivery)

    def hook() -> None:
        remaining = found()
        if remaining is not None:
            # Set when the interpreter has printed the traceback of an uncaught exception.
            remaining.close_at_exit(raised=hasattr(sys, "last_value") and not interactive)

    return atexit.register(GuardedHook(guard, hook))
