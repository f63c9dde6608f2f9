"""A run: one training job as the dashboard knows it."""

from __future__ import annotations

import atexit
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .boundaries import Boundaries
from .commands import Command, Report
from .errors import CommandError
from .frames import GRAD_MAX, PROTOCOL, Sample, encode_sample
from .freezing import Freezer
from .guard import Guard
from .hooks import ModuleHook
from .info import ParameterInfo, describe
from .link import Link
from .membership import Membership
from .metrics import MetricLog
from .outbox import Outbox
from .pace import Meter, Pace
from .parameters import ParameterTable
from .sampler import Sampler
from .steering import Steering
from .writes import WriteTracker

FIGURES = (
    "Gradients as the optimizer is about to apply them: "
    "after accumulation and clipping, without the loss scale of AMP."
)
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
        self._started = time.time()
        self._process = os.getpid()
        self._thread = threading.get_ident()
        self._optimizers = optimizers
        self._guard = Guard()
        self._pace = pace
        self._meter = Meter()
        self._step = 0
        self._spent = 0.0
        self._hook_began = 0.0
        self._between = True
        """Between a boundary and the next forward, when a command can take effect at once."""
        self._attached = True
        self._local_commands = 0
        self._latest: Sample | None = None
        self._latest_maxima: Any = None
        self._frozen: list[dict[str, Any]] = []

        self._table = ParameterTable(models)
        self._members = Membership(self._table, optimizers)
        self._writes = WriteTracker(self._table.parameters)
        self._sampler = Sampler(self._table, self._writes)
        self._sampling = pace.due(1)
        self._metrics = MetricLog()
        self._freezer = Freezer(models, self._table)
        self._outbox = Outbox()
        self._steering = Steering(
            self._table,
            self._freezer,
            report=self._put_report,
            in_optimizer=lambda index: self._members.in_optimizer[index],
        )
        self._boundaries = Boundaries(
            optimizers,
            measure=self._measure,
            before=self._freezer.clear_gradients,
            boundary=self._end_step,
            discarded=self._skip_step,
            watch=self._watch,
        )
        self._forward_hooks = [
            model.register_forward_pre_hook(ModuleHook(self._forward_begins))
            for model in models.values()
        ]
        self._link = self._start_link(server, token) if server is not None else None
        atexit.register(self._at_exit)

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.detach()

    def log(self, metrics: Mapping[str, object] | None = None, /, **more: object) -> None:
        """Note metrics of the present step: ``run.log(loss=loss, accuracy=0.93)``.

        Values are numbers or tensors of one element; those on an accelerator are read
        without stalling the job.
        """
        with self._guard:
            step = self._step if self._between else self._step + 1
            self._metrics.add(step, {**(metrics or {}), **more})

    def step(self) -> None:
        """Mark the end of a step, for a run that was attached without an optimizer.

        Call it where the gradients are complete and not yet dropped.
        """
        if self._optimizers:
            raise RuntimeError(
                "run.step() is for runs attached without an optimizer; "
                "here the optimizer's own step() marks the boundary, so drop the call."
            )
        self._watch(self._step_by_hand)

    def freeze(self, target: str, mode: str = "grad") -> tuple[str, ...]:
        """Stop training the parameters that ``target`` names, and return their names.

        ``target`` is a parameter's name, a module's path (all below it) or a glob. The
        parameters get ``requires_grad=False`` and ``grad=None``; the optimizer and its
        state are not touched. Between a step and the model's next forward this takes
        effect at once; called at another moment, or in another thread, at the end of the
        step.

        Raises :class:`TargetError` when nothing matches and :class:`CommandError` when it
        cannot be done safely.
        """
        return self._command("freeze", target, mode)

    def thaw(self, target: str) -> tuple[str, ...]:
        """Resume training the parameters that ``target`` names, with their optimizer state.

        When it takes effect and what it raises: as for :meth:`freeze`.
        """
        return self._command("thaw", target, "grad")

    def parameters(self) -> list[ParameterInfo]:
        """Every parameter with its state as of the latest sample, in model order."""
        maxima = self._latest_maxima
        return [
            describe(
                index,
                row,
                self._freezer.freezes.get(index),
                self._latest,
                None if maxima is None else float(maxima[index]),
            )
            for index, row in enumerate(self._members.rows)
        ]

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until the server has stored everything so far; False if it did not in time.

        ``timeout`` in seconds. A run with ``server=False`` has nothing to wait for: True.
        """
        with self._guard:
            self._ship(wait=True)
        return self._link is None or self._outbox.wait_empty(timeout)

    def detach(self) -> None:
        """Undo everything that the probe did to the model, and end the run. Idempotent."""
        if not self._attached:
            return
        self._attached = False
        atexit.unregister(self._at_exit)
        with self._guard:
            self._boundaries.remove()
            for hook in self._forward_hooks:
                hook.remove()
            self._writes.remove()
            self._freezer.restore()
        self._close()

    # In the training thread, from hooks.

    def _watch(self, body: Callable[[], None]) -> None:
        """Run a hook's body guarded, and count its time as the probe's own."""
        self._hook_began = time.perf_counter()
        with self._guard:
            body()
        self._spent += time.perf_counter() - self._hook_began

    def _forward_begins(self, *_: object) -> None:
        if torch.is_grad_enabled():
            self._between = False

    def _measure(self, k: int) -> None:
        if self._sampling:
            # A GradScaler sets these on a fused optimizer for the time of its step.
            scale = getattr(self._optimizers[k], "grad_scale", None)
            found_inf = getattr(self._optimizers[k], "found_inf", None)
            self._sampler.measure(
                self._members.groups[k],
                scale if isinstance(scale, Tensor) else None,
                may_skip=isinstance(found_inf, Tensor),
            )

    def _step_by_hand(self) -> None:
        self._freezer.clear_gradients()
        self._end_step()

    def _skip_step(self, k: int) -> None:
        """Gradients are dropped unused: with a non-finite one among them, AMP skipped the step."""
        if self._sampler.any_nonfinite(self._members.groups[k]):
            self._end_step(skipped=True)

    def _end_step(self, *, skipped: bool = False) -> None:
        self._step += 1
        self._between = True
        self._thread = threading.get_ident()
        # A skipped step is trouble, so it is sampled whether its turn has come or not.
        sampled = self._sampling or skipped
        if sampled:
            self._sampler.finish(self._step, skipped=skipped)
            self._announce_members()
        if self._steering.boundary(self._step):
            self._announce_frozen()
        self._ship()
        self._settle(sampled)

    def _settle(self, sampled: bool) -> None:
        """Account for the step that ended and plan the next one."""
        now = time.perf_counter()
        spent = self._spent + now - self._hook_began
        self._spent, self._hook_began = 0.0, now
        self._pace.record(self._step, self._meter.record(now, spent), spent, sampled=sampled)
        self._sampling = self._pace.due(self._step + 1)
        self._writes.boundary(next_is_sampled=self._sampling)

    # Commands.

    def _command(self, kind: str, target: str, mode: str) -> tuple[str, ...]:
        if not self._attached:
            raise CommandError(f"cannot {kind} {target!r}: this run was detached.")
        self._local_commands += 1
        command = Command(kind, target, by="python", mode=mode, local=self._local_commands)
        indexes = self._steering.resolve(command)
        if self._between and threading.get_ident() == self._thread:
            self._steering.apply(command, indexes, self._step)
            self._announce_frozen()
        else:
            self._steering.submit(command)
        return tuple(self._table.name(index) for index in indexes)

    def _on_command(self, message: Mapping[str, Any]) -> None:
        self._steering.submit(Command.from_message(message))

    # What the server is told.

    def _put_report(self, report: Report) -> None:
        self._put(report.as_message, keep=True)

    def _announce_members(self) -> None:
        if self._members.refresh():
            rows = [row.as_message() for row in self._members.rows]
            self._put(lambda seq: {"type": "parameters", "seq": seq, "parameters": rows}, keep=True)

    def _announce_frozen(self) -> None:
        self._frozen = frozen = self._freezer.as_message()
        self._put(lambda seq: {"type": "frozen", "seq": seq, "frozen": frozen}, keep=True)

    def _ship(self, *, wait: bool = False) -> None:
        for sample in self._sampler.collect(wait=wait):
            self._latest = sample
            self._latest_maxima = sample.values.get(GRAD_MAX, self._latest_maxima)
            if self._link is not None:
                self._outbox.put(partial(encode_sample, sample))
        for metrics in self._metrics.collect(wait=wait):
            self._put(metrics.as_message)

    def _put(self, make: Callable[[int], Mapping[str, Any]], *, keep: bool = False) -> None:
        if self._link is not None:
            self._outbox.put(lambda seq: _json(make(seq)), keep=keep)

    def _hello(self) -> Mapping[str, Any]:
        return {
            "type": "hello",
            "protocol": PROTOCOL,
            "run": self.id,
            "name": self.name,
            "started": self._started,
            "host": socket.gethostname(),
            "pid": self._process,
            "probe_version": version("gradgate"),
            "torch_version": torch.__version__,
            "figures": FIGURES,
            "parameters": [row.as_message() for row in self._members.rows],
            "frozen": self._frozen,
            "step": self._step,
        }

    def _heartbeat(self) -> Mapping[str, Any]:
        return {
            "type": "heartbeat",
            "time": time.time(),
            "step": self._step,
            "steps_per_second": self._meter.steps_per_second(time.perf_counter()),
            "cost": self._meter.cost(),
            "every": self._pace.interval,
            "dropped": self._outbox.dropped,
            "faults": self._guard.faults,
        }

    # The end.

    def _start_link(self, server: str, token: str | None) -> Link:
        link = Link(
            server,
            token,
            self._outbox,
            self._guard,
            hello=self._hello,
            heartbeat=self._heartbeat,
            on_command=self._on_command,
        )
        link.start()
        return link

    def _close(self) -> None:
        with self._guard:
            self._ship(wait=True)
            if self._link is not None:
                bye = {"type": "bye", "time": time.time(), "step": self._step}
                self._link.close(bye, CLOSE_TIMEOUT)

    def _at_exit(self) -> None:
        # A forked child inherits the registration, but not the thread that talks.
        if os.getpid() == self._process:
            self._close()


def _json(message: Mapping[str, Any]) -> str:
    return json.dumps(message, separators=(",", ":"), allow_nan=False)
