"""A run: one training job as the dashboard knows it."""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from .boundaries import Boundaries
from .checkpoint import freezes_from_state, freezes_to_state
from .commands import Command
from .compiled import is_compiled
from .errors import CommandError
from .figures import figures
from .freezing import Freezer
from .gate import GateInfo
from .gates import Gates
from .guard import Guard
from .hooks import ModuleHook
from .info import ParameterInfo
from .labels import ATTACHED
from .metrics import MetricValues
from .optimizer_state import OptimizerState
from .pace import Pace
from .parameters import ParameterTable
from .preview import Preview
from .previews import Previews
from .ranks import Ranks
from .readback import capturing
from .selection import Selection, module_paths
from .steering import Steering
from .trials import trial
from .uplink import Identity, Uplink
from .verification import SCRIPT, Verification
from .watch import Watch

logger = logging.getLogger("gradgate")

CLOSE_TIMEOUT = 5.0
"""Seconds that ``detach`` and the end of the program wait for a connected server, at most."""


class Run:
    """What :func:`gradgate.probe.attach` returns; as a context manager it detaches at the end."""

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        optimizers: Sequence[Optimizer],
        *,
        name: str,
        server: str | None,
        token: str | None,
        pace: Pace,
    ) -> None:
        self.id = secrets.token_hex(8)
        self.name = name
        self._process = os.getpid()
        self._thread = threading.get_ident()
        self._models = models
        self._optimizers = optimizers
        self._guard = Guard()
        self._step = 0
        self._spent = 0.0
        self._hook_began = 0.0
        self._between = True
        """Between a boundary and the next forward, when a command can take effect at once."""
        self._attached = True
        self._local_commands = 0
        self._table = ParameterTable(models)
        self._measuring = Watch(
            models,
            optimizers,
            self._table,
            pace,
            self._guard,
            coming_step=lambda: self._step if self._between else self._step + 1,
            table_changed=lambda rows: self._uplink.tell_table(rows),
            backward_ended=lambda: self._boundaries.backward_ended(),
        )
        self._ranks = Ranks.join(self._guard)
        identity = Identity(
            self.id,
            name,
            time.time(),
            self._process,
            figures(models, self._ranks),
            ranks=1 if self._ranks is None else self._ranks.size,
            compiled=is_compiled(models),
        )
        self._uplink = Uplink(identity, self._measuring, self._guard, asked=self._asked)
        self._freezer = Freezer(models, optimizers, self._table, self._guard)
        self._verification = Verification(
            self._table, in_optimizer=lambda index: self._measuring.members.in_optimizer[index]
        )
        self._gates = Gates(
            models,
            optimizers,
            self._table,
            self._freezer.idle,
            self._guard,
            metrics=lambda: self._measuring.latest_metrics,
            sampling=lambda: self._measuring.sampling,
        )
        self._steering = Steering(
            self._table,
            models,
            self._freezer,
            OptimizerState(optimizers),
            self._gates,
            self._verification,
            self._guard,
            report=self._uplink.tell_report,
            ranks=self._ranks,
        )
        self._previews = Previews(self._table, models, optimizers, self._steering)
        # Compiled optimizers trace their hooks; ours are to be left alone.
        self._watched: Callable[[Callable[[], None]], None] = torch.compiler.disable(self._watch)
        self._boundaries = Boundaries(optimizers, self)
        self._model_hooks = [
            hook
            for model in models.values()
            for hook in (
                model.register_forward_pre_hook(ModuleHook(self._forward_begins)),
                model.register_load_state_dict_post_hook(ModuleHook(self._weights_loaded)),
            )
        ]
        ATTACHED.add(self._gates)
        # One rank talks; the others hear from it what was asked for.
        if server is not None and (self._ranks is None or self._ranks.leader):
            self._uplink.connect(server, token)
        self._exit_hook = _exit_hook(weakref.ref(self))
        atexit.register(self._exit_hook)

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end(failed=error is not None)

    def log(self, metrics: Mapping[str, object] | None = None, /, **more: object) -> None:
        """Note metrics of the present step: ``run.log(loss=loss, accuracy=0.93)``.

        Values are numbers or tensors of one element; those on an accelerator are read
        without stalling the job.
        """
        with self._guard:
            if not self._attached:
                return
            step = self._step if self._between else self._step + 1
            if self._measuring.log(step, {**(metrics or {}), **more}):
                self._ship()

    def step(self) -> None:
        """Mark the end of a step, for a run that was attached without an optimizer.

        Call it where the gradients are complete and not yet dropped.
        """
        if self._optimizers:
            raise RuntimeError(
                "run.step() is for runs attached without an optimizer; "
                "here the optimizer's own step() marks the boundary, so drop the call."
            )
        self._watched(self._step_by_hand)

    def freeze(self, target: str, mode: str = "grad", hold_stats: bool = False) -> tuple[str, ...]:
        """Stop training the parameters that ``target`` names, and return their names.

        ``target`` is a parameter's name, a module's path (all below it) or a glob. The
        parameters get ``requires_grad=False`` and ``grad=None``; the optimizer and its
        state are not touched. With ``mode="no_grad"`` the modules that ``target`` names also
        run without a graph; that is refused, after the next step, when a trainable parameter
        would lose its gradient by it. ``hold_stats`` lets normalisation layers inside the
        target use their running statistics and not update them. Between a step and the
        model's next forward this takes effect at once; called at another moment, or in
        another thread, at the end of the step.

        Raises :class:`TargetError` when nothing matches and :class:`CommandError` when it
        cannot be done safely.
        """
        return self._command("freeze", target, mode=mode, hold_stats=hold_stats)

    def thaw(self, target: str, reset_state: bool = False) -> tuple[str, ...]:
        """Resume training the parameters that ``target`` names.

        They go on with the optimizer state that they had, or, with ``reset_state``, with a
        new one. When it takes effect and what it raises: as for :meth:`freeze`.
        """
        return self._command("thaw", target, reset_state=reset_state)

    def gate(
        self,
        site: str,
        when: str = "True",
        action: str = "block",
        factor: float | None = None,
        max_norm: float | None = None,
        hold: int = 0,
    ) -> int:
        """Make a gate, and return its number.

        ``site``: ``param:NAME``, ``output:MODULE``, ``input:MODULE``, or ``site:LABEL`` for a
        call of :func:`gradgate.probe.site`. While the condition ``when`` is true the gate is
        closed, and ``action`` works on the gradient that arrives there: ``block`` lets
        nothing pass, and the backward upstream is not computed; ``scale`` multiplies it by
        ``factor``; ``clip`` brings its L2 norm down to ``max_norm``. Once closed it stays
        closed for ``hold`` steps at least. Several gates on one site act in the order made.
        docs/gates.md has the language of conditions.

        Raises :class:`ConditionError` for a bad condition, :class:`TargetError` for a site
        that is not there and :class:`CommandError` for what cannot be done.
        """
        command = self._local(
            "gate",
            site,
            site=site,
            when=when,
            action=action,
            factor=factor,
            max_norm=max_norm,
            hold=hold,
            reserved=self._gates.reserve(),
        )
        self._do_gate(command)
        return int(command.reserved or 0)

    def ungate(self, gate: int) -> None:
        """Remove the gate of this number. Raises :class:`CommandError` if there is none."""
        self._do_gate(self._local("ungate", f"gate {gate}", gate=gate))

    def gates(self) -> list[GateInfo]:
        """Every gate as it is now, in the order made."""
        return self._gates.infos()

    def preview(
        self,
        kind: str,
        target: str,
        mode: str = "grad",
        hold_stats: bool = False,
        reset_state: bool = False,
    ) -> Preview:
        """Say what a ``freeze`` or ``thaw`` (``kind``) would touch, and change nothing.

        What mode ``no_grad`` would cut off is known after a forward only: ``cut_off`` is
        None. Raises as :meth:`freeze` and :meth:`thaw` would.
        """
        self._follow_model()
        command = Command(kind, target, "python", mode, hold_stats, reset_state)
        return self._previews.now(command)

    def state_dict(self) -> dict[str, Any]:
        """Return what is frozen by command, to go into the user's own checkpoint.

        Plain dicts, lists and strings, so that ``torch.load(..., weights_only=True)`` reads it.
        """
        return freezes_to_state(self._freezer, self._table)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Freeze what was frozen when ``state`` was made, and thaw what was not.

        Call it between a step and the next forward, as right after :func:`attach`; what the
        script froze by itself is left alone. Raises :class:`TargetError` when the state
        names what this model does not have, and :class:`CommandError` when it is none or
        cannot be brought about; then nothing is changed.
        """
        if not self._attached or not self._at_boundary():
            raise CommandError(
                "load_state_dict() takes effect at once, so call it in the training thread, "
                "between a step and the next forward; right after attach() is the best place."
            )
        wanted = freezes_from_state(state, self._table, module_paths(self._models))
        kept = {index for _, selection in wanted for index in selection.indexes}
        thawed = Selection([i for i in self._freezer.freezes if i not in kept])
        if thawed.indexes:
            thaw = Command(
                "thaw", f"{len(thawed.indexes)} parameters not in the checkpoint", "python"
            )
            wanted.insert(0, (thaw, thawed))
        for command, selection in wanted:
            self._freezer.check(selection, command.mode)
        if self._ranks is not None:
            self._ranks.agree(self._step, {"load_state_dict": state})
        for command, selection in wanted:
            self._local_commands += 1
            numbered = replace(command, local=self._local_commands)
            self._steering.restore(numbered, selection, self._step)
        self._freezer.hold_only(state["held"])
        self._announce_frozen()

    def parameters(self) -> list[ParameterInfo]:
        """Every parameter with its state as of the latest sample.

        They are in model order; those that joined the model after ``attach`` come last. One
        that left it, or was replaced by another, stays in the list as ``removed``, under a
        name that says since when.
        """
        self._follow_model()
        return list(self._measuring.parameters(self._freezer.freezes))

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until the server has stored everything so far; False if it did not in time.

        ``timeout`` in seconds. A run with ``server=False`` has nothing to wait for: True.
        """
        with self._guard:
            self._ship(wait=True)
        return self._uplink.wait_stored(timeout)

    def detach(self) -> None:
        """Undo everything that the probe did to the model, and end the run. Idempotent."""
        self._end(failed=False)

    # From the optimizers' hooks, in the training thread: see boundaries.Stepping.

    def _before_step(self, k: int) -> None:
        """Keep gradients of frozen parameters from the optimizer."""
        self._freezer.clear_gradients()
        self._gates.keep_out(self._measuring.members.groups[k], self._measuring.is_new)
        if self._measuring.sampling and self._verification.watching:
            self._verification.note(SCRIPT, self._step + 1)

    def _measure(self, k: int) -> None:
        """Measure the gradients of optimizer k, if this step is sampled."""
        self._measuring.measure(k)

    def _stepped(self, k: int) -> None:
        """Optimizer k has written what it writes."""
        if self._measuring.sampling and self._verification.watching:
            self._verification.note(f"{type(self._optimizers[k]).__name__}.step()", self._step + 1)

    def _cleared(self) -> None:
        """Gradients were cleared: a scaler may look for some next."""
        self._freezer.feed_scaler()

    def _after_step(self, k: int) -> None:
        """Optimizer k has used its gradients."""
        self._measuring.spend(k)

    def _boundary(self, *, late: bool) -> None:
        """A step has ended: complete its sample, apply commands, plan the next."""
        self._end_step(late=late)

    def _discarded(self, k: int) -> bool:
        """Gradients are dropped unused: with a non-finite one among them, AMP skipped the step."""
        if not self._measuring.any_nonfinite(k):
            return False
        self._end_step(skipped=True)
        self._measuring.spend(k, discarded=True)
        return True

    def _watch(self, body: Callable[[], None]) -> None:
        """Run a hook's body guarded, and count its time as the probe's own."""
        if os.getpid() != self._process:  # a forked child has no thread that talks
            return
        self._hook_began = time.perf_counter()
        with self._guard:
            body()
        self._spent += time.perf_counter() - self._hook_began

    def _forward_begins(self, *_: object) -> None:
        if torch.is_grad_enabled():
            self._between = False
            self._freezer.feed_scaler()

    def _weights_loaded(self, *_: object) -> None:
        with self._guard:
            self._verification.note("load_state_dict()", self._step + 1)

    def _step_by_hand(self) -> None:
        self._freezer.clear_gradients()
        self._gates.keep_out(range(len(self._table)), self._measuring.is_new)
        self._end_step()

    def _end_step(self, *, skipped: bool = False, late: bool = False) -> None:
        self._step += 1
        self._uplink.step = self._step
        self._between = not late
        self._thread = threading.get_ident()
        # A skipped step is trouble, so it is sampled whether its turn has come or not.
        sampled = (self._measuring.sampling or skipped) and not capturing()
        # Guarded one by one: a fault in measuring must not keep commands from being applied.
        if sampled:
            with self._guard:
                self._measuring.finish(self._step, self._gates.gated, skipped=skipped)
            with self._guard:
                self._measuring.members.refresh()
        with self._guard:
            for backward in self._measuring.backwards(self._step):
                self._steering.measured(backward)
        with self._guard:
            self._measuring.members.catch_up()
            self._steer(skipped=skipped, look=sampled)
        with self._guard:
            self._previews.boundary()
        with self._guard:
            self._ship()
        self._settle(sampled, late)

    def _steer(self, *, skipped: bool, look: bool) -> None:
        closed = self._gates.end_step(self._step)
        if closed and look:
            self._uplink.tell_metrics(MetricValues(self._step, time.time(), dict(closed)))
        self._gates.release()
        undone = self._freezer.boundary()
        if self._steering.boundary(self._step, look=look, skipped=skipped) or undone:
            self._announce_frozen()
        self._settle_gates()

    def _settle(self, sampled: bool, late: bool) -> None:
        """Account for the step that ended and plan the next one."""
        now = time.perf_counter()
        spent = self._spent + now - self._hook_began
        self._spent, self._hook_began = 0.0, now
        self._measuring.settle(self._step, spent, sampled=sampled, late=late)

    # Commands.

    def _local(self, kind: str, target: str, **options: Any) -> Command:
        """A command of the script's own."""
        if not self._attached:
            raise CommandError(f"cannot {kind} {target!r}: this run was detached.")
        self._follow_model()
        self._local_commands += 1
        return Command(kind, target, by="python", local=self._local_commands, **options)

    def _command(self, kind: str, target: str, **options: Any) -> tuple[str, ...]:
        command = self._local(kind, target, **options)
        selection = self._steering.resolve(command)
        if self._at_boundary():
            if self._ranks is not None:
                self._ranks.agree(self._step, command.asked())
            self._gates.release()
            self._steering.apply_now(command, selection, self._step)
            self._settle_gates()
            self._announce_frozen()
        elif self._ranks is None or self._ranks.leader:
            self._steering.submit(command)
        return tuple(self._table.name(index) for index in selection.indexes)

    def _do_gate(self, command: Command) -> None:
        self._steering.resolve(command)
        if not self._at_boundary():
            self._steering.submit(command)
            return
        self._gates.release()
        self._steering.apply_gate(command, self._step)
        self._settle_gates()

    def _settle_gates(self) -> None:
        """Decide what gates keep from being trained in the coming step, and tell of the gates."""
        self._gates.settle()
        self._freezer.cover(self._gates.may_flip, self._gates.flipped)
        self._measuring.marking = len(self._gates) > 0
        gates = self._gates.message()
        if gates is not None:
            self._uplink.tell_gates(gates)

    def _at_boundary(self) -> bool:
        """Whether this is the training thread, between a boundary and the next forward."""
        return self._between and threading.get_ident() == self._thread

    def _follow_model(self) -> None:
        """See what the script has just added to the models, where that can be done safely."""
        if self._attached and self._at_boundary():
            with self._guard:
                self._measuring.members.refresh(walk=True)

    def _asked(self, message: Mapping[str, Any]) -> None:
        """The server wants something: in the link's thread."""
        command = Command.from_message(message)
        if message["type"] == "command":
            self._steering.submit(command)
            return
        if message["type"] == "trial":
            known = sorted(self._measuring.latest_metrics)
            answered = trial(command, message.get("history"), check=self._gates.check, known=known)
            self._uplink.answer({"type": "trial", "request": message["request"], **answered})
            return

        def answer(preview: Preview | None, refused: str | None) -> None:
            self._uplink.answer(
                {
                    "type": "preview",
                    "request": message["request"],
                    "preview": None if preview is None else preview.as_message(),
                    "refused": refused,
                }
            )

        speed = self._measuring.meter.steps_per_second(time.perf_counter())
        self._previews.ask(command, answer, speed)

    # What the server is told.

    def _announce_frozen(self) -> None:
        # Behind the hooks that came with a freeze, for these may give an output its graph.
        self._measuring.arm()
        self._uplink.tell_frozen(self._freezer.as_message())

    def _ship(self, *, wait: bool = False) -> None:
        samples, metrics = self._measuring.collect(wait=wait)
        for sample in samples:
            self._uplink.tell_sample(sample)
        for values in metrics:
            self._uplink.tell_metrics(values)

    # The end.

    def _end(self, *, failed: bool) -> None:
        if not self._attached:
            return
        self._attached = False
        atexit.unregister(self._exit_hook)
        with self._guard:
            self._boundaries.remove()
            for hook in self._model_hooks:
                hook.remove()
            self._measuring.remove()
            self._steering.stop()
            self._previews.stop()
            ATTACHED.discard(self._gates)
            self._gates.remove()
            if self._may_restore(failed):
                self._freezer.restore()
            if self._ranks is not None:
                self._ranks.leave()
        self._close(failed=failed)

    def _may_restore(self, failed: bool) -> bool:
        """Whether all ranks detach together: one alone must not flip anything."""
        if self._ranks is None or not self._freezer.restores:
            return True
        if failed:
            return False
        try:
            self._ranks.agree(self._step, {"detach": True})
        except CommandError as error:
            logger.warning("gradgate: what was frozen by command stays frozen: %s", error)
            return False
        return True

    def _close(self, *, failed: bool) -> None:
        """Send what is left and end the link; of a job that failed the run is not finished."""
        # A forked child inherits the run, but not the thread that talks.
        if os.getpid() != self._process:
            return
        with self._guard:
            self._ship(wait=True)
            self._uplink.close(CLOSE_TIMEOUT, failed=failed)


def _exit_hook(weak_run: weakref.ref[Run]) -> Callable[[], None]:
    def at_exit() -> None:
        run = weak_run()
        if run is not None:
            # Set when the interpreter has printed the traceback of an uncaught exception.
            run._close(failed=hasattr(sys, "last_value"))

    return at_exit
