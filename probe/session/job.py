"""The parts of a run, and how a step of the job goes through them."""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from ..base.errors import CommandError
from ..base.guard import Guard
from ..base.retry import consistently
from ..distributed.ranks import Ranks
from ..freeze.freezer import Freezer
from ..freeze.optimizer_state import OptimizerState
from ..gates.dry_run import dry_run
from ..gates.gates import Gates
from ..gates.labels import ATTACHED
from ..link.uplink import Identity, Uplink
from ..live.expectations import Expectations
from ..live.explainer import Explainer
from ..measure.measurement import Measurement
from ..measure.metrics import MetricValues
from ..measure.pace import Pace
from ..measure.provenance import figures
from ..model.commands import ExplainCommand, GateCommand, ParameterCommand, read_command
from ..model.table import ParameterTable
from ..steer.preview import Preview
from ..steer.preview_requests import Previews
from ..steer.steering import Steering
from ..steer.verification import SCRIPT, Verification
from ..torch_compat.module_hooks import ModuleHook
from ..torch_compat.readback import capturing
from ..torch_compat.wrappers import Wrappers
from .at_exit import at_exit
from .boundaries import Boundaries

logger = logging.getLogger("gradgate")

CLOSE_TIMEOUT = 5.0
"""Seconds that ``detach`` and the end of the program wait for a connected server, at most."""


class Job:
    """What is at work in the training job; :class:`~gradgate.probe.session.run.Run` is its face."""

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        optimizers: Sequence[Optimizer],
        *,
        name: str,
        server: str | None,
        token: str | None,
        pace: Pace,
        expect: Sequence[str] = (),
        strict: bool = False,
    ) -> None:
        self.id = secrets.token_hex(8)
        self.process = os.getpid()
        self.thread = threading.get_ident()
        self.models = models
        self.optimizers = optimizers
        self.guard = Guard()
        self.step = 0
        self._spent = 0.0
        self._hook_began = 0.0
        self.between = True
        """Between a boundary and the next forward, when a command can take effect at once."""
        self.attached = True
        self.table = ParameterTable(models)
        self.wrappers = Wrappers(models)
        expectations = Expectations(expect, self.table, self.guard, strict=strict)
        self.measuring = Measurement(
            models,
            optimizers,
            self.table,
            pace,
            self.guard,
            coming_step=lambda: self.step if self.between else self.step + 1,
            table_changed=lambda rows: self.uplink.tell_table(rows),
            backward_ended=lambda: self.boundaries.backward_ended(),
        )
        self.ranks = Ranks.join(self.guard)
        identity = Identity(
            self.id,
            name,
            time.time(),
            self.process,
            figures(models, None if self.ranks is None else self.ranks.size),
            ranks=1 if self.ranks is None else self.ranks.size,
            compiled=self.wrappers.is_compiled(),
            expect=expectations.patterns,
        )
        self.uplink = Uplink(identity, self.measuring, self.guard, asked=self._asked)
        self.freezer = Freezer(models, optimizers, self.table, self.guard, self.wrappers)
        self.verification = Verification(
            self.table, in_optimizer=lambda index: self.measuring.members.in_optimizer[index]
        )
        self.gates = Gates.of(
            models,
            optimizers,
            self.table,
            self.measuring,
            self.freezer.scaler_zeros,
            self.guard,
            self.wrappers,
        )
        self.steering = Steering(
            self.table,
            models,
            self.freezer,
            OptimizerState(optimizers),
            self.gates.registry,
            self.verification,
            self.guard,
            report=self.uplink.tell_report,
            ranks=self.ranks,
        )
        self.explainer = Explainer(
            models,
            self.table,
            self.measuring,
            self.freezer,
            self.gates.registry,
            expectations,
            self.uplink,
            self.guard,
            self.wrappers,
        )
        self.previews = Previews(self.table, optimizers, self.steering, self.wrappers)
        # Compiled optimizers trace their hooks; ours are to be left alone.
        self._watched: Callable[[Callable[[], None]], None] = torch.compiler.disable(self._watch)
        self.boundaries = Boundaries(optimizers, self)
        self._model_hooks = [
            hook
            for model in models.values()
            for hook in (
                model.register_forward_pre_hook(ModuleHook(self._forward_begins)),
                model.register_load_state_dict_post_hook(ModuleHook(self._weights_loaded)),
            )
        ]
        ATTACHED.add(self.gates.runtime)
        # One rank talks; the others hear from it what was asked for.
        if server is not None and (self.ranks is None or self.ranks.leader):
            self.uplink.connect(server, token)
        self._exit_hook = at_exit(weakref.ref(self))
        atexit.register(self._exit_hook)

    # From the optimizers' hooks, in the training thread: see boundaries.Stepping.

    def _before_step(self, k: int) -> None:
        """Keep gradients of frozen parameters from the optimizer."""
        self.explainer.pause(True)
        held = self.measuring.members.held_by(k)
        self.freezer.clear_gradients(held)
        self.gates.blocked.clear_gradients(held)
        if self.measuring.sampling and self.verification.watching:
            self.verification.note(SCRIPT, self.step + 1)

    def _measure(self, k: int) -> None:
        """Measure the gradients of optimizer k, if this step is sampled."""
        self.measuring.measure(k)

    def _stepped(self, k: int) -> None:
        """Optimizer k has written what it writes."""
        if self.measuring.sampling and self.verification.watching:
            self.verification.note(f"{type(self.optimizers[k]).__name__}.step()", self.step + 1)

    def _cleared(self) -> None:
        """Gradients were cleared: a scaler may look for some next."""
        self.freezer.scaler_zeros.fill()

    def _after_step(self, k: int) -> None:
        """Optimizer k has used its gradients."""
        self.measuring.spend(k)
        self.explainer.pause(False)

    def _boundary(self, *, late: bool) -> None:
        """A step has ended: complete its sample, apply commands, plan the next."""
        self._end_step(late=late)

    def _discarded(self, k: int) -> bool:
        """Gradients are dropped unused: with a non-finite one among them, AMP skipped the step."""
        if not self.measuring.any_nonfinite(k):
            return False
        self._end_step(skipped=True)
        self.measuring.spend(k, discarded=True)
        return True

    def _watch(self, body: Callable[[], None]) -> None:
        """Run a hook's body guarded, and count its time as the probe's own."""
        if os.getpid() != self.process:  # a forked child has no thread that talks
            return
        self._hook_began = time.perf_counter()
        with self.guard:
            body()
        self._spent += time.perf_counter() - self._hook_began
        self.explainer.raise_failure()

    def _forward_begins(self, *_: object) -> None:
        if torch.is_grad_enabled():
            if self.explainer.late:
                with self.guard:
                    self.explainer.conclude(self.step)
            self.between = False
            if len(self.gates.registry):
                with self.guard:
                    self.gates.blocked.decide_before_forward()
                    self.freezer.gate_cover.update_gated(self.gates.blocked.before_forward)
            self.freezer.scaler_zeros.fill()

    def _weights_loaded(self, *_: object) -> None:
        with self.guard:
            self.verification.note("load_state_dict()", self.step + 1)

    def step_by_hand(self) -> None:
        """A step of a run without an optimizer has ended."""
        self._watched(self._step_by_hand)

    def _step_by_hand(self) -> None:
        self.freezer.clear_gradients(range(len(self.table)))
        self.gates.blocked.clear_gradients(range(len(self.table)))
        self._end_step()

    def _end_step(self, *, skipped: bool = False, late: bool = False) -> None:
        self.step += 1
        self.uplink.step = self.step
        self.between = not late
        self.thread = threading.get_ident()
        # A skipped step is trouble, so it is sampled whether its turn has come or not.
        sampled = (self.measuring.sampling or skipped) and not capturing()
        # Guarded one by one: a fault in measuring must not keep commands from being applied.
        if sampled:
            with self.guard:
                self.measuring.finish(self.step, self.gates.blocked.find(), skipped=skipped)
            with self.guard:
                self.measuring.members.refresh()
        with self.guard:
            self._look(sampled=sampled)
        with self.guard:
            for backward in self.measuring.backwards(self.step):
                self.steering.measured(backward)
        with self.guard:
            self.measuring.members.catch_up()
            self._steer(skipped=skipped, look=sampled, late=late)
        with self.guard:
            self.previews.boundary()
        with self.guard:
            self.ship()
        with self.guard:
            self.explainer.boundary(self.step)
        self._settle(sampled, late)

    def _look(self, *, sampled: bool) -> None:
        """Say why gradients are missing, if the step was traced."""
        traced = self.explainer.end_trace()
        if sampled:
            self.ship(wait=traced)
        if traced:
            self.explainer.conclude(self.step)

    def _steer(self, *, skipped: bool, look: bool, late: bool) -> None:
        for step, values in self.gates.accounting.end_step(self.step).items():
            if look or step < self.step:
                self.uplink.tell_metrics(MetricValues(step, time.time(), values))
        self.gates.blocked.release()
        undone = self.freezer.drop_undone()
        if self.steering.boundary(self.step, look=look, skipped=skipped) or undone:
            self.announce_frozen()
        self.settle_gates(late=late)

    def _settle(self, sampled: bool, late: bool) -> None:
        """Account for the step that ended and plan the next one."""
        now = time.perf_counter()
        spent = self._spent + now - self._hook_began
        self._spent, self._hook_began = 0.0, now
        self.measuring.settle(self.step, spent, sampled=sampled, late=late)

    def settle_gates(self, *, late: bool = False) -> None:
        """Bring what is there for the gates in line with them, and tell of them."""
        self.gates.runtime.follow_parameters()
        self.freezer.gate_cover.update(self.gates.registry.may_block_before_forward())
        if len(self.gates.registry):
            self.measuring.mark(late=late)
        else:
            self.measuring.marking = False
        gates = self.gates.accounting.take_message()
        if gates is not None:
            self.uplink.tell_gates(gates)

    def at_boundary(self) -> bool:
        """Whether this is the training thread, between a boundary and the next forward."""
        return self.between and threading.get_ident() == self.thread

    def follow_model(self) -> None:
        """See what the script has just added to the models, where that can be done safely."""
        if self.attached and self.at_boundary():
            with self.guard:
                self.measuring.members.refresh(walk=True)

    def _asked(self, message: Mapping[str, Any]) -> None:
        """The server wants something: in the link's thread."""
        command = read_command(message)
        if message["type"] == "command":
            if isinstance(command, ExplainCommand):
                self.explainer.submit(command)
            else:
                self.steering.submit(command)
            return
        if message["type"] == "trial":
            assert isinstance(command, GateCommand)
            answered = consistently(lambda: self._trial(command, message.get("history")))
            self.uplink.answer({"type": "trial", "request": message["request"], **answered})
            return

        def answer(preview: Preview | None, refused: str | None) -> None:
            self.uplink.answer(
                {
                    "type": "preview",
                    "request": message["request"],
                    "preview": None if preview is None else preview.as_message(),
                    "refused": refused,
                }
            )

        assert isinstance(command, ParameterCommand)
        speed = self.measuring.meter.steps_per_second(time.perf_counter())
        self.previews.ask(command, answer, speed)

    def _trial(self, command: GateCommand, history: Mapping[str, Any] | None) -> dict[str, Any]:
        known = sorted(self.measuring.latest_metrics)
        return dry_run(command, history, check=self.gates.registry.check, known=known)

    # What the server is told.

    def announce_frozen(self) -> None:
        """Tell what is frozen now."""
        # Behind the hooks that came with a freeze, for these may give an output its graph.
        self.measuring.arm()
        self.uplink.tell_frozen(self.freezer.records.as_message())

    def ship(self, *, wait: bool = False) -> None:
        """Send what was measured and has arrived on the host; ``wait``: also what has not."""
        samples, metrics = self.measuring.collect(wait=wait)
        for sample in samples:
            self.uplink.tell_sample(sample)
            self.explainer.receive(sample)
        for values in metrics:
            self.uplink.tell_metrics(values)

    # The end.

    def end(self, *, failed: bool) -> None:
        """Undo everything that was done to the model, and say goodbye. Idempotent."""
        if not self.attached:
            return
        self.attached = False
        atexit.unregister(self._exit_hook)
        with self.guard:
            self.explainer.stop()
            self.boundaries.remove()
            for hook in self._model_hooks:
                hook.remove()
            self.measuring.remove()
            self.wrappers.remove()
            self.steering.stop()
            self.previews.stop()
            ATTACHED.discard(self.gates.runtime)
            self.gates.registry.remove()
            if self._may_restore(failed):
                self.freezer.restore()
            if self.ranks is not None:
                self.ranks.leave()
        self.close(failed=failed)

    def _may_restore(self, failed: bool) -> bool:
        """Whether all ranks detach together: one alone must not flip anything."""
        if self.ranks is None or not self.freezer.records.touched:
            return True
        if failed:
            return False
        try:
            self.ranks.agree(self.step, {"detach": True})
        except CommandError as error:
            logger.warning("gradgate: what was frozen by command stays frozen: %s", error)
            return False
        return True

    def close(self, *, failed: bool) -> None:
        """Send what is left and end the link; of a job that failed the run is not finished."""
        # A forked child inherits the run, but not the thread that talks.
        if os.getpid() != self.process:
            return
        with self.guard:
            self.ship(wait=True)
            self.uplink.close(CLOSE_TIMEOUT, failed=failed)
