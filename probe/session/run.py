"""A run: one training job as the dashboard knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any

from ..base.errors import CommandError
from ..base.targets import resolve
from ..diagnosis.explanation import Explanation
from ..live.alerts import Alert
from ..model.commands import (
    ExplainCommand,
    FreezeCommand,
    GateCommand,
    ParameterCommand,
    ThawCommand,
    UngateCommand,
    read_command,
)
from ..model.gate_info import GateInfo
from ..model.modules import module_paths
from ..model.parameter_info import ParameterInfo
from ..model.selection import Selection
from ..steer.preview import Preview
from .checkpoint import freezes_from_state, freezes_to_state
from .gate_state import gates_from_state, gates_to_state, restore_gate
from .job import Job


class Run:
    """What :func:`gradgate.probe.attach` returns; as a context manager it detaches at the end."""

    def __init__(self, job: Job, name: str) -> None:
        self.id = job.id
        self.name = name
        self._job = job
        self._local_commands = 0

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._job.end(failed=error is not None)
        if error is None:
            self._job.explainer.raise_failure(last=True)

    def log(self, metrics: Mapping[str, object] | None = None, /, **more: object) -> None:
        """Note metrics of the present step: ``run.log(loss=loss, accuracy=0.93)``.

        Values are numbers or tensors of one element; those on an accelerator are read
        without stalling the job.
        """
        with self._job.guard:
            if not self._job.attached:
                return
            step = self._job.step if self._job.between else self._job.step + 1
            if self._job.measuring.log(step, {**(metrics or {}), **more}):
                self._job.ship()

    def step(self) -> None:
        """Mark the end of a step, for a run that was attached without an optimizer.

        Call it where the gradients are complete and not yet dropped.
        """
        if self._job.optimizers:
            raise RuntimeError(
                "run.step() is for runs attached without an optimizer; "
                "here the optimizer's own step() marks the boundary, so drop the call."
            )
        self._job.step_by_hand()

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
        return self._command(
            FreezeCommand(target, mode, hold_stats, **self._me(f"freeze {target!r}"))
        )

    def thaw(self, target: str, reset_state: bool = False) -> tuple[str, ...]:
        """Resume training the parameters that ``target`` names.

        They go on with the optimizer state that they had, or, with ``reset_state``, with a
        new one. When it takes effect and what it raises: as for :meth:`freeze`.
        """
        return self._command(ThawCommand(target, reset_state, **self._me(f"thaw {target!r}")))

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
        me = self._me(f"gate {site!r}")
        command = GateCommand(site, site, when, action, factor, max_norm, hold, **me)
        self._job.steering.resolve(command)
        number = self._job.gates.registry.reserve()
        self._do_gate(replace(command, reserved=number))
        return number

    def ungate(self, gate: int) -> None:
        """Remove the gate of this number. Raises :class:`CommandError` if there is none."""
        command = UngateCommand(f"gate {gate}", gate, **self._me(f"ungate 'gate {gate}'"))
        self._job.steering.resolve(command)
        self._do_gate(command)

    def gates(self) -> list[GateInfo]:
        """Every gate as it is now, in the order made."""
        return self._job.gates.registry.infos()

    def explain(self, target: str = "*") -> None:
        """Trace the next step, and then know why gradients are missing: :meth:`explanations`.

        The step is the job's own, from this boundary or the next to the one after it, and takes
        some times as long as others. ``target``: a name, a module's path or a glob; what the
        dashboard shows as answered. A compiled model runs that step eagerly.

        Raises :class:`TargetError` when nothing matches.
        """
        command = ExplainCommand(target, **self._me(f"explain {target!r}"))
        resolve(target, self._job.table.names)
        self._job.explainer.submit(command)
        if self._job.at_boundary():
            self._job.explainer.boundary(self._job.step)
            self._job.measuring.sampling |= self._job.explainer.tracing

    def explanations(self) -> dict[str, Explanation]:
        """Why parameters lacked a useful gradient in the step that was traced last, by name.

        Empty before the first; a healthy parameter has no entry. A job traces a step by itself
        once a parameter has lost its gradient, or has had none in its first samples.
        """
        return dict(self._job.explainer.latest)

    def alerts(self) -> list[Alert]:
        """The parameters that ``expect`` named and that do not train, as of the latest sample."""
        return list(self._job.explainer.alerts)

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
        self._job.follow_model()
        asked = {"mode": mode, "hold_stats": hold_stats, "reset_state": reset_state}
        command = read_command({"kind": kind, "target": target, "by": "python", **asked})
        command.check()
        if not isinstance(command, ParameterCommand):
            raise CommandError(f"a preview shows what a freeze or a thaw would touch, no {kind}.")
        return self._job.previews.now(command)

    def state_dict(self) -> dict[str, Any]:
        """Return what is frozen by command, and every gate, to go into the user's own checkpoint.

        Plain dicts, lists, strings and numbers, so that ``torch.load(..., weights_only=True)``
        reads it.
        """
        job = self._job
        return {
            **freezes_to_state(job.freezer, job.table),
            "gates": gates_to_state(job.gates.registry, job.step + 1, job.measuring.latest_metrics),
            "step": job.step,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Freeze what was frozen when ``state`` was made, and make the gates that there were.

        What was not frozen is thawed, and gates that it does not have are removed. A gate has
        its number again unless that was given away before, goes on with what it remembers (its
        average, how long it holds, whether it was closed) and counts its steps anew. In a run
        that has made no step yet, steps go on from that of the state.

        Call it between a step and the next forward, as right after :func:`attach`; what the
        script froze by itself is left alone. Raises :class:`TargetError` when the state
        names what this model does not have, and :class:`CommandError` when it is none or
        cannot be brought about; then nothing is changed.
        """
        if not self._job.attached or not self._job.at_boundary():
            raise CommandError(
                "load_state_dict() takes effect at once, so call it in the training thread, "
                "between a step and the next forward; right after attach() is the best place."
            )
        wanted = freezes_from_state(state, self._job.table, module_paths(self._job.models))
        kept = {index for _, selection in wanted for index in selection.indexes}
        thawed = Selection([i for i in self._job.freezer.records.freezes if i not in kept])
        if thawed.indexes:
            thaw = ThawCommand(
                f"{len(thawed.indexes)} parameters not in the checkpoint", by="python"
            )
            wanted.insert(0, (thaw, thawed))
        for command, selection in wanted:
            self._job.freezer.check(selection, command.mode)
        gates = gates_from_state(state, self._job.gates.registry)
        if self._job.ranks is not None:
            self._job.ranks.agree(self._job.step, {"load_state_dict": state})
        if self._job.step == 0:
            self._job.step = self._job.uplink.step = state.get("step", 0)
            self._job.gates.step.number = self._job.step + 1
        for command, selection in wanted:
            self._local_commands += 1
            numbered = replace(command, local=self._local_commands)
            self._job.steering.restore(numbered, selection, self._job.step)
        self._job.freezer.statistics.unfreeze_all_but(state["held"])
        for gate in gates:
            self._local_commands += 1
            gate = replace(gate, command=replace(gate.command, local=self._local_commands))
            restore_gate(self._job.gates.registry, self._job.steering, gate, self._job.step)
        self._job.settle_gates()
        self._job.announce_frozen()

    def parameters(self) -> list[ParameterInfo]:
        """Every parameter with its state as of the latest sample.

        They are in model order; those that joined the model after ``attach`` come last. One
        that left it, or was replaced by another, stays in the list as ``removed``, under a
        name that says since when.
        """
        self._job.follow_model()
        return list(self._job.measuring.parameters(self._job.freezer.records.freezes))

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until the server has stored everything so far; False if it did not in time.

        ``timeout`` in seconds. A run with ``server=False`` has nothing to wait for: True.
        """
        with self._job.guard:
            self._job.ship(wait=True)
        return self._job.uplink.wait_stored(timeout)

    def detach(self) -> None:
        """Undo everything that the probe did to the model, and end the run. Idempotent."""
        self._job.end(failed=False)

    def _me(self, what: str) -> dict[str, Any]:
        """Number a command of the script's own."""
        if not self._job.attached:
            raise CommandError(f"cannot {what}: this run was detached.")
        self._job.follow_model()
        self._local_commands += 1
        return {"by": "python", "local": self._local_commands}

    def _command(self, command: ParameterCommand) -> tuple[str, ...]:
        selection = self._job.steering.resolve(command)
        if self._job.at_boundary():
            if self._job.ranks is not None:
                self._job.ranks.agree(self._job.step, command.asked())
            self._job.gates.blocked.release()
            self._job.steering.apply_now(command, selection, self._job.step)
            self._job.settle_gates()
            self._job.announce_frozen()
        elif self._job.ranks is None or self._job.ranks.leader:
            self._job.steering.submit(command)
        return tuple(self._job.table.name(index) for index in selection.indexes)

    def _do_gate(self, command: GateCommand | UngateCommand) -> None:
        if not self._job.at_boundary():
            self._job.steering.submit(command)
            return
        self._job.gates.blocked.release()
        self._job.steering.apply_gate(command, self._job.step)
        self._job.settle_gates()
