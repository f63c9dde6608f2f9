"""Applies commands at step boundaries and checks that they hold."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from torch import nn

from ..base.errors import CommandError, GradgateError
from ..base.guard import Guard
from ..distributed.ranks import Ranks
from ..freeze.freezer import Freezer
from ..freeze.optimizer_state import OptimizerState
from ..gates.registry import GateRegistry
from ..measure.backward_timer import BackwardTiming
from ..model.commands import (
    Command,
    CommandState,
    FreezeCommand,
    GateCommand,
    ParameterCommand,
    Report,
    UngateCommand,
    read_command,
)
from ..model.freeze import Freeze
from ..model.modules import module_paths
from ..model.selection import Selection, select
from ..model.table import ParameterTable
from ..model.upstream import UpstreamObserver
from ..torch_compat.dynamo import has_compiled_code
from ..torch_compat.process_group import world_size
from .rank_verdicts import Verdicts
from .savings import Savings
from .verification import Verification

logger = logging.getLogger("gradgate")


@dataclass
class _Trial:
    """A freeze in mode ``no_grad`` that waits for a forward to show what it would cut."""

    command: ParameterCommand
    selection: Selection
    observers: dict[str, UpstreamObserver]
    """By the path of the module that each watches."""
    frozen: bool
    """Made in Python between two steps: its parameters are frozen already."""


class Steering:
    """The commands of one run: received in any thread, applied in the training thread."""

    def __init__(
        self,
        table: ParameterTable,
        models: Mapping[str, nn.Module],
        freezer: Freezer,
        states: OptimizerState,
        gates: GateRegistry,
        verification: Verification,
        guard: Guard,
        report: Callable[[Report], None],
        ranks: Ranks | None,
    ) -> None:
        self._table = table
        self._models = models
        self._freezer = freezer
        self._states = states
        self._gates = gates
        self._proofs: list[tuple[Command, int, int]] = []
        """Commands about gates that wait for a gradient to come: with the gate and the step."""
        self._verification = verification
        self._guard = guard
        self._report = report
        self._ranks = ranks
        self._verdicts = None if ranks is None else Verdicts(ranks, table)
        self._lock = threading.Lock()
        self._inbox: deque[Command] = deque()
        self._seen: set[int] = set()
        self._trials: list[_Trial] = []
        self._savings: Savings[Command] = Savings()
        self._freed: dict[Command, int] = {}
        """Bytes of gradients that a freeze has freed which waits for its trial."""
        self._states_told: dict[Command, CommandState] = {}
        """What was last told of the command whose savings are being measured."""

    def submit(self, command: Command) -> None:
        """Queue a command for the next boundary; one that was seen before is ignored."""
        with self._lock:
            if command.id is not None:
                if command.id in self._seen:
                    return
                self._seen.add(command.id)
            # Before it is queued: the training thread may apply it at once.
            self._report(Report(command, CommandState.DELIVERED))
            self._inbox.append(command)

    def resolve(self, command: Command) -> Selection:
        """Return what a command touches, or raise why it cannot be done."""
        command.check()
        if self._ranks is None:
            _refuse_unjoined_ranks()
        if isinstance(command, GateCommand):
            self._gates.check(command)
            return Selection([])
        if isinstance(command, UngateCommand):
            self._gates.check_number(command.gate)
            return Selection([])
        assert isinstance(command, ParameterCommand)
        selection = select(
            command.target, self._table, self._models, without_graph=command.without_graph
        )
        self._freezer.check(selection, command.mode)
        if command.reset_state:
            self._states.check(self._table.parameters[i] for i in selection.indexes)
        return selection

    def boundary(self, step: int, *, look: bool, skipped: bool = False) -> bool:
        """Verify and apply at the boundary after ``step``; return whether anything changed.

        ``look``: look whether what is frozen was written to, also when no proof is due.
        ``skipped``: the optimizer did not apply that step, so it proves nothing.
        """
        if not skipped:
            reports = self._verification.boundary(step, look=look)
            for report in self._verdicts.settle(reports) if self._verdicts else reports:
                if report.command in self._states_told:
                    self._states_told[report.command] = report.state
                self._report(report)
            self._prove_gates(step)
        changed = self._stop_cutting()
        batch = self._asked_for(step)
        if self._ranks is not None:
            batch = self._agreed(self._ranks, batch, step)
        for position, (command, selection) in enumerate(batch):
            self._apply_unless_undone(command, selection, batch[position + 1 :], step)
        return bool(batch) or changed

    def _stop_cutting(self) -> bool:
        """Tell of modules that ran with their graph, for something trainable feeds them now."""
        cutting = self._freezer.leave_no_grad()
        for path, indexes in cutting.items():
            reason = (
                f"{path or 'the model'} runs with its graph again, in mode 'grad': what flows "
                "into it carries a gradient now, or something trainable is in it, which would "
                "be cut off"
            )
            for report in self._verification.drifted(indexes, "no_grad", reason):
                self._report(report)
        return bool(cutting)

    def _asked_for(self, step: int) -> list[tuple[ParameterCommand, Selection]]:
        """The commands that can be applied, in order; the others are rejected or tried."""
        passed = self._decide_trials(step)
        with self._lock:
            commands = list(self._inbox)
            self._inbox.clear()
        for command in commands:
            selection = self._accept(command, step)
            if selection is None:
                continue
            self._outdate(command, selection, step)
            if isinstance(command, (GateCommand, UngateCommand)):
                self.apply_gate(command, step)
            elif isinstance(command, ParameterCommand) and command.without_graph:
                self._try(command, selection)
            elif isinstance(command, ParameterCommand):
                passed.append((command, selection))
        return passed

    def _agreed(
        self, ranks: Ranks, batch: list[tuple[ParameterCommand, Selection]], step: int
    ) -> list[tuple[ParameterCommand, Selection]]:
        """Give the leader's commands to all ranks; return those that all apply after ``step``."""
        received = ranks.receive(step)
        for message, reason in ranks.called_off():
            for fields in message["commands"]:
                self._reject(read_command(fields), reason, step)
        if batch and ranks.leader:
            ranks.publish({"commands": [command.as_message() for command, _ in batch]})
        due = [read_command(fields) for message in received for fields in message["commands"]]
        return [
            (c, chosen)
            for c in due
            if (chosen := self._accept(c, step)) is not None and isinstance(c, ParameterCommand)
        ]

    def apply_now(self, command: ParameterCommand, selection: Selection, step: int) -> None:
        """Do what a command asks, in the training thread, between a boundary and a forward.

        What mode ``no_grad`` would cut is known after the next forward only: until then
        its parameters are frozen as in mode ``grad``.
        """
        self._outdate(command, selection, step)
        if not isinstance(command, FreezeCommand) or not command.without_graph:
            self._apply(command, selection, step)
            return
        freed = self._gradient_bytes(selection)
        self._change(replace(command, mode="grad"), selection, step)
        self._freed[command] = freed - self._gradient_bytes(selection)
        if self._ranks is None or self._ranks.leader:
            self._try(command, selection, frozen=True)

    def measured(self, backward: BackwardTiming) -> None:
        """Take in what a step's backward took, and report what a command saved once known."""
        done = self._savings.add(backward)
        if done is not None:
            command, saved = done
            state = self._states_told.pop(command, None)
            if state is CommandState.VERIFIED:
                self._report(Report(command, state, saved=saved.as_message()))

    def stop(self) -> None:
        """Stop watching for trials: nothing more is decided."""
        for trial in self._trials:
            for observer in trial.observers.values():
                observer.remove()
        self._trials.clear()

    def restore(self, command: ParameterCommand, selection: Selection, step: int) -> None:
        """Bring about what a checkpoint holds: it was tried when it was first commanded."""
        self._outdate(command, selection, step)
        self._apply(command, selection, step)

    def apply_gate(self, command: GateCommand | UngateCommand, step: int) -> int:
        """Make, change or remove a gate that was checked; return its id."""
        if isinstance(command, UngateCommand):
            gate = command.gate
            self._gates.delete(gate)
        else:
            gate = self._gates.apply(command, step)
        self._proofs.append((command, gate, step))
        self._report(Report(command, CommandState.APPLIED, step=step, gate=gate))
        return gate

    def _prove_gates(self, step: int) -> None:
        """Verify the commands about gates at which a gradient has been decided since."""
        waiting = []
        for command, number, since in self._proofs:
            gate = self._gates.get(number)
            if gate is None:
                detail = "no gate is there any more"
            elif gate.settings.since_step != since:
                self._supersede(command, "the gate was changed again", step)
                continue
            elif gate.settings.paused:
                detail = "paused: it lets everything pass"
            elif gate.arrivals.steps:
                detail = f"{'closed' if gate.decider.closed else 'open'} in step {step}"
            else:
                waiting.append((command, number, since))
                continue
            if since >= step:
                waiting.append((command, number, since))
                continue
            self._report(
                Report(command, CommandState.VERIFIED, step=since, detail=detail, gate=number)
            )
        self._proofs = waiting

    def _try(
        self, command: ParameterCommand, selection: Selection, *, frozen: bool = False
    ) -> None:
        self._trials.append(_Trial(command, selection, self.observe(selection), frozen))

    def _outdate(self, command: Command, selection: Selection, step: int) -> None:
        """Let a command stand over earlier ones that still wait for their trial."""
        touched, norms = set(selection.indexes), set(selection.norms)
        for trial in list(self._trials):
            earlier = trial.selection
            trial.selection = replace(
                earlier,
                indexes=[index for index in earlier.indexes if index not in touched],
                norms=tuple(path for path in earlier.norms if path not in norms),
            )
            if not trial.selection.indexes:
                for observer in trial.observers.values():
                    observer.remove()
                self._trials.remove(trial)
                reason = f"a later {command.kind} came before the step that was to show its effect"
                self._supersede(trial.command, reason, step)

    def observe(self, selection: Selection) -> dict[str, UpstreamObserver]:
        """Watch what flows into each module; its own parameters and the probe's leaf aside."""
        paths = module_paths(self._models)
        own = [self._table.parameters[index] for index in selection.indexes]
        ignored = [self._freezer.anchor.leaf, *own]
        return {
            path: UpstreamObserver([paths[path]], self._table, self._guard, ignored)
            for path in selection.modules
        }

    def _decide_trials(self, step: int) -> list[tuple[ParameterCommand, Selection]]:
        """The commands whose trial has shown that they cut nothing; reject the others."""
        passed = []
        trials, self._trials = self._trials, []
        for trial in trials:
            problem = self.cut(trial.observers)
            if problem is None:
                passed.append((trial.command, trial.selection))
                continue
            if trial.frozen:
                problem += " Its parameters are frozen in mode 'grad'."
                logger.warning("gradgate: %s", problem)
            self._reject(trial.command, problem, step)
        return passed

    def cut(self, observers: Mapping[str, UpstreamObserver]) -> str | None:
        """Why modules cannot run without a graph, as was observed; the observers go."""
        for observer in observers.values():
            observer.remove()
        for path, observer in observers.items():
            upstream = observer.seen()
            shown = repr(path) if path else "the model"
            if not upstream.called:
                return (
                    f"{shown} was not seen to run in the step that was to show what flows into "
                    "it, so nobody knows what running it without a graph would cut; "
                    "use mode 'grad'."
                )
            if upstream.indexes:
                return (
                    f"{shown} cannot run without a graph: what flows into it carries the "
                    f"gradient of {self._verification.listed(upstream.indexes)}, which would "
                    "lose theirs; freeze those too, or use mode 'grad'."
                )
            if upstream.foreign:
                return (
                    f"{shown} cannot run without a graph: what flows into it carries the "
                    "gradient of a tensor that is no parameter of this model, which would be "
                    "cut off; use mode 'grad'."
                )
        return None

    def _apply_unless_undone(
        self,
        command: ParameterCommand,
        selection: Selection,
        later: list[tuple[ParameterCommand, Selection]],
        step: int,
    ) -> None:
        """Apply, unless later commands of the same boundary undo all of it."""
        undone = {
            index
            for other, others in later
            if other.trains != command.trains
            for index in others.indexes
        }
        if undone.issuperset(selection.indexes):
            opposite = "freeze" if command.trains else "thaw"
            reason = f"a later command asked at the same step to {opposite}"
            self._supersede(command, reason, step)
            return
        # A fault of the probe's own rejects this command, and the others go on.
        done = False
        with self._guard:
            self._apply(command, selection, step)
            done = True
        if not done:
            self._reject(command, "the probe failed inside; see the job's log", step)

    def _apply(self, command: ParameterCommand, selection: Selection, step: int) -> None:
        freed = self._gradient_bytes(selection)
        self._change(command, selection, step)
        freed += self._freed.pop(command, 0) - self._gradient_bytes(selection)
        self._savings.began(command, step, freed, recompiles=has_compiled_code())
        self._states_told = {command: CommandState.APPLIED}
        self._verification.applied(command, selection.indexes, step)
        self._report(
            Report(
                command,
                CommandState.APPLIED,
                step=step,
                parameters=selection.indexes,
                detail=self._verification.untrained(command, selection.indexes),
            )
        )

    def _change(self, command: ParameterCommand, selection: Selection, step: int) -> None:
        """Bring about what a command asks for; the same twice is the same once."""
        for other in self._verification.withdraw(command, selection.indexes):
            reason = f"a later {command.kind} came before it could be verified"
            self._supersede(other, reason, step)
        if isinstance(command, FreezeCommand):
            freeze = Freeze(command.by, command.mode, step, command.id, command.hold_stats)
            self._freezer.freeze(selection, freeze)
            return
        if command.reset_state:
            self._states.reset(self._table.parameters[i] for i in selection.indexes)
        self._freezer.thaw(selection)

    def _gradient_bytes(self, selection: Selection) -> int:
        """What the gradients of the trainable ones among the selected parameters take."""
        parameters = [self._table.parameters[index] for index in selection.indexes]
        return sum(p.numel() * p.element_size() for p in parameters if p.requires_grad)

    def _accept(self, command: Command, step: int) -> Selection | None:
        try:
            return self.resolve(command)
        except GradgateError as error:
            # A condition's error has a picture of the place below its sentence.
            self._reject(command, str(error).partition("\n")[0], step)
            return None

    def _reject(self, command: Command, reason: str, step: int) -> None:
        self._freed.pop(command, None)
        self._report(Report(command, CommandState.REJECTED, step=step, reason=reason))

    def _supersede(self, command: Command, reason: str, step: int) -> None:
        self._freed.pop(command, None)
        self._report(Report(command, CommandState.SUPERSEDED, step=step, reason=reason))


def _refuse_unjoined_ranks() -> None:
    if world_size() > 1:
        raise CommandError(
            "this run was attached before init_process_group, so it cannot agree with the other "
            "ranks; call attach() after it, on every rank."
        )
