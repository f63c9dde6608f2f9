"""A check of a script: it is stopped after a few steps, and what was found is kept."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

from torch import nn

from ..base.errors import GradgateError, TargetError
from ..base.guard import Guard, TellingHook
from ..base.targets import resolve
from ..diagnosis.unregistered import unregistered_layers
from ..live.alerts import Alert
from ..live.expected import NOTHING, Expected
from ..measure.checksums import checksums
from ..measure.local_part import unreadable
from ..model.inner_optimizers import with_inner
from ..model.modules import module_paths
from ..session.attach import attach
from ..session.run import Run, job_of
from ..torch_compat.module_hooks import ModuleHook
from .discovery import Found
from .findings import CheckFinding, findings, located
from .limit import PATIENCE

MOST_FORWARDS = 200
"""Forwards without a step after which a script is taken for one that never steps."""
_FORGOTTEN = "not_in_optimizer"
_FROZEN = "frozen_by_script"
_WITHOUT = ("absent", "zero", "stale")
"""What a step that is no matter of an optimizer, of several, may leave its gradients in."""
MOST_STOPS = 5
"""Times that a script is asked to end which catches what it is stopped by."""


class Enough(SystemExit):
    """Stops a script that has been seen for long enough: no script's ``except Exception``.

    As one that exits, so that what hears of the end of a script hears of a good one.
    """


@dataclass
class Watched:
    """A run, and what its weights were when it began."""

    run: Run
    models: Mapping[str, nn.Module]
    names: list[str]
    trainable: list[bool]
    """Whether each parameter required a gradient then."""
    before: list[int]
    """The checksum of each parameter, 0 where it cannot be read."""
    by_script: bool
    """The script itself made it."""
    spare: frozenset[str] = frozenset()
    """The models of which no optimizer holds anything."""
    made_at: str | None = None
    """Where its optimizer was made; None: it is not known."""
    step: int = 0
    forwards: int = 0
    """Since the latest step."""

    def counts(self, alert: Alert) -> bool:
        """Return whether an alert is to be told.

        A model that no optimizer has may be a target network or a teacher, which gets no gradient;
        one that gets some was forgotten.
        """
        model = (alert.name or "").partition(".")[0]
        return alert.cause == _FORGOTTEN or model not in self.spare

    @property
    def states(self) -> dict[str, str]:
        """The state of each parameter's gradient in the latest sample, by name."""
        return {info.name: info.state for info in self.run.parameters()}

    def is_trainable(self, index: int, state: str) -> bool:
        """Return whether a parameter required a gradient in the latest sample, of this state.

        Its flag says less: a script may switch it off while another optimizer steps.
        """
        return self.trainable[index] if state == "unmeasured" else state != "frozen"

    @property
    def trains_on(self) -> bool:
        """Whether anything required a gradient in the latest sample: else all of it is frozen."""
        infos = self.run.parameters()[: len(self.trainable)]
        return any(self.is_trainable(index, info.state) for index, info in enumerate(infos))

    @property
    def thawed(self) -> set[str]:
        """The names of what the script has let train since the check began to look."""
        return {
            info.name
            for index, info in enumerate(self.run.parameters()[: len(self.trainable)])
            if not self.trainable[index]
            and self.is_trainable(index, info.state)
            and info.name.partition(".")[0] not in self.spare
        }

    @property
    def trains_at_times(self) -> set[str]:
        """The names of what had a useful gradient, though not in the latest sample.

        A step may leave out an expert, or a layer that is dropped at random: it counts if that was
        in the second half of the steps.
        """
        latest = job_of(self.run).measurement.latest
        return {
            info.name
            for index, info in enumerate(self.run.parameters())
            if info.state in _WITHOUT and 2 * (latest.useful_in(index) or 0) > self.step
        }


@dataclass(frozen=True)
class ParameterVerdict:
    """What became of a parameter."""

    name: str
    numbers: int
    trainable: bool
    """It required a gradient in the latest sample."""
    state: str
    """In the latest sample."""
    in_optimizer: bool
    moved: bool | None
    """Its bits are others than when the check began to look; None: it cannot be read."""
    at_times: bool
    """It had a useful gradient, though not in the latest sample."""


@dataclass
class Check:
    """Follows a script for some steps; a :class:`Follower`.

    Everything that requires a gradient is expected to train, or what ``expect`` says: what the
    script has frozen by the end is not, and what it has thawed until then is. Steps are traced
    ever more rarely: what holds in the first alone, as zeros of an adapter that begins with zeros
    do, is no finding.
    """

    steps: int | None
    """None: the script ends by itself, and is told of its own mistakes by an error."""
    expect: Expected = NOTHING
    give_up: Callable[[], NoReturn] | None = None
    """Called in place of the next stop where the script has caught so many."""
    watched: list[Watched] = field(default_factory=list)
    problem: str | None = None
    """Why nothing could be attached."""
    misused: bool = False
    """That is so since an expectation names nothing."""
    never_steps: bool = False
    """It was stopped since forwards go by, and no step."""
    timed_out: bool = False
    """It was stopped since no step was made for too long."""
    latest: float = field(default_factory=time.monotonic)
    """When the latest step was made, or the check began."""
    progress: Path | None = None
    """A file that is touched with each step."""
    stops: int = 0
    patience: threading.Timer | None = None
    """Gives up where the main thread does not end though another was stopped."""
    folders: list[str] = field(default_factory=lambda: [os.getcwd()])
    """The working directories that there were: places are told relative to them."""

    def attach(self, found: Found) -> Run | None:
        """Attach without a server, and look at every step."""
        expected = replace(self.expect, trains=self.expect.trains or _trainable(found.models))
        try:
            run = attach(
                found.given,
                found.optimizers,
                server=False,
                every=1,
                budget=1.0,
                expect=expected,
                totals=False,
            )
        except (GradgateError, ValueError) as error:
            self._refuse(error)
            return None
        self._watch(run, found.models, found.spare, by_script=False)
        self.watched[-1].made_at = found.made_at
        return run

    def run_made(self, run: Run) -> None:
        """Follow the script's own run, with what it expects."""
        job = job_of(run)
        for target in self.expect.trains:
            self._resolve(target, job.table.names)
        self._watch(run, job.models, frozenset(), by_script=True)
        for optimizer in with_inner(job.optimizers):
            hook = TellingHook(job.guard, lambda *_: self.stepped(run))
            optimizer.register_step_post_hook(hook)

    def stepped(self, run: Run) -> None:
        """Ask for traces of the first steps, ever more rarely, and of the last; stop after that."""
        watched = next(each for each in self.watched if each.run is run)
        step = job_of(run).state.step
        watched.forwards = 0
        if step == watched.step:
            return
        watched.step = step
        self.latest = time.monotonic()
        if self.progress is not None:
            os.utime(self.progress)
        left = None if self.steps is None else self.steps - self.steps_made
        if step & (step - 1) == 0 or left == 1:
            run.explain()
        if left is not None and left <= 0:
            self._stop()

    @property
    def steps_made(self) -> int:
        """The steps of all runs."""
        return sum(each.step for each in self.watched)

    @property
    def loose(self) -> int:
        """How many tensors the optimizers of all runs hold, and no model that is watched."""
        tables = [job_of(each.run).table for each in self.watched]
        return len(self._held() - {id(each) for table in tables for each in table.parameters})

    def time_out(self, *, for_good: bool) -> None:
        """Take in that the script is stopped for making no step; ``for_good``: it ought to have."""
        self.timed_out = for_good
        self.folders.append(os.getcwd())

    def wait_no_longer(self) -> None:
        """Give nothing up any more: the script has ended."""
        if self.patience is not None:
            self.patience.cancel()

    def end(self, run: Run, *, failed: bool) -> None:
        """Keep the run as it is: what was found is asked of it later."""
        if job_of(run).state.attached:
            run.flush(0)
            job_of(run).end(failed=failed)

    def replace(self, run: Run) -> None:
        """Forget the run: the one that comes in its place finds what it did."""
        self.end(run, failed=False)
        self.watched = [each for each in self.watched if each.run is not run]

    def found(self) -> Iterator[CheckFinding]:
        """Yield what each run has found, errors first."""
        every: list[CheckFinding] = []
        for each in self.watched:
            at_times, states = each.trains_at_times, each.states
            is_meant = not self._is_told(each) and each.trains_on
            unregistered = self._unregistered(each)
            alerts = [
                replace(alert, level="note") if alert.name in at_times else alert
                for alert in filter(each.counts, job_of(each.run).alerts.at_end())
                if not (is_meant and _is_of_frozen(alert))
            ]
            explanations = {
                name: why
                for name, why in each.run.explanations().items()
                # What was frozen once, or in no optimizer, may be well by now.
                if (why.cause != _FROZEN or states.get(name) == "frozen")
                and not unregistered.get(name, False)
            }
            expected = self._expected_of(each, unregistered) - at_times
            names = job_of(each.run).table.name
            told = findings(alerts, explanations, expected, names, self.folders)
            every += (located(finding, each.made_at, self.folders) for finding in told)
        order = ("error", "note", "untrained")
        yield from sorted(every, key=lambda finding: order.index(finding.level))

    def _is_told(self, watched: Watched) -> bool:
        """Return whether somebody says what of a run ought to train, frozen or not."""
        own = watched.by_script and job_of(watched.run).expected.trains
        return bool(self.expect.trains or own)

    def _expected_of(self, watched: Watched, unregistered: Mapping[str, bool]) -> set[str]:
        """Return what is expected to train of which no alert of the run tells."""
        if self._is_told(watched):
            return _named(watched, self.expect.trains if watched.by_script else ())
        forgotten = {name for name, held in unregistered.items() if not held}
        if watched.by_script:
            return forgotten | _named(watched, _trainable(watched.models))
        return forgotten | watched.thawed

    def _unregistered(self, watched: Watched) -> dict[str, bool]:
        """Return, by name, the parameters of layers in plain containers: does an optimizer hold it?

        Of layers in training mode: one that only looks on, as that of a perceptual loss, is hidden
        from the optimizer there.
        """
        held = self._held()
        return {
            f"{path}.{name}": id(parameter) in held
            for path, layer in unregistered_layers(module_paths(watched.models))
            for name, parameter in layer.named_parameters()
            if layer.training
        }

    def _held(self) -> set[int]:
        """Return the identities of all that optimizers of runs hold."""
        optimizers = [each for watched in self.watched for each in job_of(watched.run).optimizers]
        groups = [group for each in optimizers for group in each.param_groups]
        return {id(tensor) for group in groups for tensor in group["params"]}

    def verdicts(self) -> Iterator[ParameterVerdict]:
        """Yield what became of each parameter that was there from the start."""
        for each in self.watched:
            parameters = job_of(each.run).table.parameters[: len(each.before)]
            now = _sums(parameters)
            infos = each.run.parameters()
            at_times = each.trains_at_times
            for index, parameter in enumerate(parameters):
                yield ParameterVerdict(
                    each.names[index],
                    parameter.numel(),
                    each.is_trainable(index, infos[index].state),
                    infos[index].state,
                    infos[index].in_optimizer,
                    None if unreadable(parameter) is not None else now[index] != each.before[index],
                    infos[index].name in at_times,
                )

    def _resolve(self, target: str, names: Sequence[Sequence[str]]) -> None:
        """Stop the script if an expectation names nothing."""
        try:
            resolve(target, names)
        except TargetError as error:
            self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        """Keep why nothing can be checked, and stop the script; one that is not, is told."""
        if self.steps is None:
            raise error
        self.problem = str(error)
        self.misused = isinstance(error, TargetError)
        self._stop()

    def _watch(
        self, run: Run, models: Mapping[str, nn.Module], spare: frozenset[str], *, by_script: bool
    ) -> None:
        table = job_of(run).table
        parameters = list(table.parameters)
        watched = Watched(
            run,
            models,
            [table.name(index) for index in range(len(parameters))],
            [parameter.requires_grad for parameter in parameters],
            _sums(parameters),
            by_script,
            spare,
        )
        self.watched.append(watched)
        for model in models.values():
            count = ModuleHook(Guard(), lambda *_: self._forward_begins(watched))
            model.register_forward_pre_hook(count)

    def _forward_begins(self, watched: Watched) -> None:
        if self.steps is None or not job_of(watched.run).state.in_own_process():
            return
        watched.forwards += 1
        if watched.forwards > max(MOST_FORWARDS, 10 * self.steps):
            self.never_steps = True
            self._stop()

    def _stop(self) -> NoReturn:
        """Stop the script, which may be in another folder by now."""
        self.folders.append(os.getcwd())
        self.stops += 1
        if self.give_up is not None and self.stops > MOST_STOPS:
            self.give_up()
        if self.give_up is not None and threading.current_thread() is not threading.main_thread():
            # The main thread may wait for what this one would have brought.
            self.patience = threading.Timer(PATIENCE, self.give_up)
            self.patience.daemon = True
            self.patience.start()
            raise SystemExit  # which ends a thread without a word
        raise Enough


def _is_of_frozen(alert: Alert) -> bool:
    return alert.cause == _FROZEN or (alert.cause is None and alert.state == "frozen")


def _named(watched: Watched, targets: Sequence[str]) -> set[str]:
    """Return the names of the parameters that targets name."""
    table = job_of(watched.run).table
    found = {index for target in targets for index in resolve(target, table.names)}
    return {table.name(index) for index in found}


def _trainable(models: Mapping[str, nn.Module]) -> tuple[str, ...]:
    """Return targets that name what requires a gradient: modules, where all below them does."""
    return tuple(target for key, model in models.items() for target in _targets(model, key))


def _targets(module: nn.Module, path: str) -> Iterator[str]:
    wants = [parameter.requires_grad for parameter in module.parameters()]
    if all(wants):
        yield from (path or "*",) if wants else ()
        return
    prefix = f"{path}." if path else ""
    for name, parameter in module.named_parameters(recurse=False):
        if parameter.requires_grad:
            yield prefix + name
    for name, child in module.named_children():
        yield from _targets(child, prefix + name)


def _sums(parameters: Sequence[nn.Parameter]) -> list[int]:
    """Return the checksum of each parameter, 0 of one that has no bits to read."""
    readable = [each for each in parameters if unreadable(each) is None]
    taken = dict(zip(map(id, readable), checksums(readable), strict=True))
    return [taken.get(id(each), 0) for each in parameters]
