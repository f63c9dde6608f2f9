"""Trains a row's job: plainly, watched, frozen by hand, or frozen by a command."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from gradgate import probe
from gradgate.probe.base.states import State
from gradgate.probe.model.commands import Report
from gradgate.probe.model.sample import GRAD_NORM, Sample
from gradgate.probe.model.totals import BEFORE_CLIPPING, SKIPPED, StepTotal, Totals
from gradgate.probe.session.run import job_of

from .reference import Figure, Recorder, Reference, local
from .row import STEPS, Job, Row

NOBODY = "http://127.0.0.1:9"
"""The discard port: no server answers there."""
UNSAMPLED = 1_000_000
AFTERWARDS = 2
"""Steps made after ``detach``."""

Bits = Mapping[str, object]
"""Everything that training changes, by name: bytes of tensors, and plain values."""


@dataclass
class History:
    """What a training run was, step by step; the entry of a step is at its number."""

    bits: list[Bits]
    found: object
    """The hooks, attributes and flags at the end of ``STEPS``, after ``detach``."""
    reference: list[Reference] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    totals: list[StepTotal] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """The names of the parameters by index, as the probe has them at the end."""
    frozen: dict[int, set[str]] = field(default_factory=dict)
    """What the probe calls frozen by a command, after each step."""
    targeted: set[str] = field(default_factory=set)
    """The names of what was to be frozen, found without the probe."""
    reports: list[tuple[str, str, str | None]] = field(default_factory=list)
    """What was reported of the commands: kind, state and reason."""
    refusals: list[str] = field(default_factory=list)


def train_plainly(row: Row, at_boundary: Callable[[Job, int], None] | None = None) -> History:
    """Train without Gradgate, and record what samples would have to say."""
    job = row.build()
    job.by_hand = at_boundary is not None
    recorder = Recorder(job)
    bits = [snapshot(job)]
    for step in range(1, STEPS + 1):
        job.step(step)
        recorder.end_step()
        if at_boundary is not None:
            at_boundary(job, step)
        bits.append(snapshot(job))
    return History(bits + _afterwards(job), None, reference=recorder.references())


def train_untouched(row: Row, steps: int) -> object:
    """Train without anything around the job, and return how its hooks and flags are then."""
    job = row.build()
    for step in range(1, steps + 1):
        job.step(step)
    return found(job)


def train_by_hand(row: Row) -> History:
    """Train, and freeze and thaw as a careful person writes it."""

    def at_boundary(job: Job, step: int) -> None:
        kind = row.commands.get(step)
        for parameter in targeted(job, row.target).values() if kind else ():
            parameter.requires_grad_(kind == "thaw")
            # Where it shows only by gradients being dropped that a step is over, it is
            # with them that a freeze takes effect.
            if kind == "freeze" and step not in row.unseen:
                parameter.grad = None
        if kind and job.rewrap is not None:
            job.rewrap()

    return train_plainly(row, at_boundary)


def train_watched(
    row: Row,
    commands: Mapping[int, str] | None = None,
    *,
    target: str | None = None,
    steps: int = STEPS,
) -> History:
    """Train with Gradgate, and call ``freeze`` or ``thaw`` at the boundaries of ``commands``.

    ``target``: the row's own, if not another.
    """
    target = target or row.target
    job = row.build()
    bits = [snapshot(job)]
    history = History(bits, None)
    with probe.attach(job.model, job.optimizers, server=False, every=1) as run:
        _keep_samples(run, history.samples)
        _keep_reports(run, history.reports)
        for step in range(1, steps + 1):
            job.step(step)
            kind = (commands or {}).get(step)
            if kind is not None:
                history.targeted = set(targeted(job, target))
                try:
                    getattr(run, kind)(target)
                except probe.CommandError as error:
                    history.refusals.append(str(error))
            bits.append(snapshot(job))
            history.frozen[step] = {i.name for i in run.parameters() if i.frozen is not None}
        run.flush()
        history.names = [info.name for info in run.parameters()]
    history.found = found(job)
    if steps == STEPS:
        bits += _afterwards(job)
    return history


def train_between_samples(row: Row) -> History:
    """Train with Gradgate, which samples no step by itself and looks at the norm of each."""
    job = row.build()
    history = History([snapshot(job)], None)
    with probe.attach(
        job.model, job.optimizers, server=NOBODY, every=UNSAMPLED, totals=True
    ) as run:
        _keep_totals(run, history.totals)
        for step in range(1, STEPS + 1):
            job.step(step)
            history.bits.append(snapshot(job))
        job_of(run).delivery.send(wait=True)
    history.found = found(job)
    return history


def targeted(job: Job, target: str) -> dict[str, nn.Parameter]:
    """The parameters that a target names, found without the probe; a tied one by its first name."""
    return {
        name: parameter
        for name, parameter in job.parameters().items()
        if any(fnmatchcase(other, target) for other in _names_and_modules(job, parameter))
    }


def snapshot(job: Job) -> Bits:
    """Every parameter, gradient, buffer, optimizer state, option and random number, as bits."""
    now: dict[str, object] = {"random numbers": _as_bits(torch.get_rng_state())}
    parameters = job.parameters()
    names = {parameter: name for name, parameter in parameters.items()}
    for name, parameter in parameters.items():
        now[name] = _as_bits(parameter)
        now[f"gradient of {name}"] = _as_bits(parameter.grad)
    for key, model in job.models.items():
        now |= {f"buffer {key}.{name}": _as_bits(b) for name, b in model.named_buffers()}
    for k, optimizer in enumerate(job.optimizers):
        for parameter, state in optimizer.state.items():
            now |= {f"state {k} of {names[parameter]}: {e}": _as_bits(v) for e, v in state.items()}
        for g, group in enumerate(optimizer.param_groups):
            now |= {f"group {k}.{g}: {e}": repr(v) for e, v in group.items() if e != "params"}
    if job.scaler is not None:
        now["scaler"] = repr(job.scaler.state_dict())
    return now


def differences(actual: Iterable[Bits], expected: Iterable[Bits]) -> list[str]:
    """The first step at which two runs differ, and in what."""
    for step, (ours, theirs) in enumerate(zip(actual, expected, strict=True)):
        wrong = [n for n in {**ours, **theirs} if ours.get(n, "none") != theirs.get(n, "none")]
        if wrong:
            return [f"step {step}: {name}" for name in wrong]
    return []


def hold_differences(row: Row, steered: History) -> list[str]:
    """Where the target moved while it was frozen, did not move while it was not, or was called
    frozen at another time."""
    names, commands = steered.targeted, {} if row.refusal else row.commands
    bits = [own(each, names) for each in steered.bits]
    wrong, frozen = [], {}
    for start, end in row.held if commands else ():
        wrong += differences(bits[start : end + 1], [bits[start]] * (end + 1 - start))
        if start in commands:
            frozen |= dict.fromkeys(range(start + 1, end + 1), names)
    for start, end in row.trained:
        wrong += [f"{n} never moved" for n in names if bits[start].get(n) == bits[end][n]]
    for step, told in steered.frozen.items():
        if step not in commands and told != frozen.get(step, set()):
            wrong.append(f"step {step}: called frozen: {told}")
    return wrong


def own(bits: Bits, names: set[str]) -> Bits:
    """Of all that training changes the weights and the optimizer state of some parameters."""
    prefixes = tuple(f"{name}: " for name in names)
    return {
        key: value
        for key, value in bits.items()
        if key in names
        or (key.startswith("state ") and key.partition(" of ")[2].startswith(prefixes))
    }


def sample_differences(
    samples: list[Sample], names: list[str], reference: list[Reference]
) -> list[str]:
    """Where samples and reference say different things."""
    steps, expected = [sample.step for sample in samples], list(range(1, len(reference) + 1))
    if steps != expected:
        return [f"samples of the steps {steps}"]
    wrong = []
    known: set[str] = set()
    for sample, truth in zip(samples, reference, strict=True):
        if sample.skipped != truth.skipped:
            wrong.append(f"step {sample.step}: skipped is {sample.skipped}")
        seen = _readings(sample, names)
        for name, figure in truth.figures.items():
            state, norm = seen.pop(name, ("missing", math.nan))
            # The protocol lets a sample leave out a parameter that was made in its step.
            new = name not in known and state in ("missing", "unmeasured") and sample.step > 1
            if not (new or (state == figure.state and _agree(norm, figure))):
                wrong.append(f"step {sample.step}: {name} is {state} {norm}, not {figure}")
        wrong += [f"step {sample.step}: {n} is {s}" for n, (s, _) in seen.items() if s in _CLAIMS]
        known = set(truth.figures)
    return wrong


def total_differences(totals: list[StepTotal], reference: list[Reference]) -> list[str]:
    """Where total norms and reference say different things."""
    steps = [total.step for total in totals]
    expected = [n for n, truth in enumerate(reference, 1) if truth.skipped or truth.looked_at]
    if steps != expected:
        return [f"norms of the steps {steps}, not {expected}"]
    wrong = []
    for total in totals:
        truth = reference[total.step - 1]
        if bool(total.flags & SKIPPED) != truth.skipped:
            wrong.append(f"step {total.step}: skipped is {not truth.skipped}")
        # What was applied is what clipping has left of it.
        least, most = (0.0, total.norm) if total.flags & BEFORE_CLIPPING else (total.norm,) * 2
        room = 1e-4 * truth.total
        finite = least - room <= truth.total <= most + room
        if not (finite if math.isfinite(truth.total) else not total.finite):
            wrong.append(f"step {total.step}: {total} is not {truth.total}")
    return wrong


def found(job: Job) -> object:
    """Every hook, attribute and flag that a probe could leave behind."""
    return {
        "modules": [
            (name, sorted(module.__dict__), _hook_counts(module))
            for model in job.models.values()
            for name, module in model.named_modules()
        ],
        "parameters": {
            name: (
                parameter.requires_grad,
                type(parameter),
                sorted(parameter.__dict__),
                len(parameter._backward_hooks or ()),
                len(parameter._post_accumulate_grad_hooks or ()),
                [] if parameter.grad is None else sorted(parameter.grad.__dict__),
            )
            for name, parameter in job.parameters().items()
        },
        "optimizers": [
            (
                sorted(optimizer.__dict__),
                len(optimizer._optimizer_step_pre_hooks),
                len(optimizer._optimizer_step_post_hooks),
                len(optimizer._optimizer_state_dict_pre_hooks),
                len(optimizer._optimizer_load_state_dict_post_hooks),
            )
            for optimizer in job.optimizers
        ],
    }


_CLAIMS = frozenset(state.word for state in State) - {"unmeasured"}


def _names_and_modules(job: Job, parameter: nn.Parameter) -> list[str]:
    """All names of a parameter, tied ones too, and the paths of all modules around each."""
    found = []
    for key, model in job.models.items():
        for name, other in model.named_parameters(remove_duplicate=False):
            if other is parameter:
                parts = f"{key}.{name}".strip(".").split(".")
                found += [".".join(parts[:n]) for n in range(1, len(parts) + 1)]
    return found


def _keep_samples(run: probe.Run, samples: list[Sample]) -> None:
    """Keep every sample that the run would send."""
    collect = job_of(run).measurement.sampler.collect

    def keeping(*, wait: bool = False) -> list[Sample]:
        arrived = collect(wait=wait)
        samples.extend(arrived)
        return arrived

    job_of(run).measurement.sampler.collect = keeping  # type: ignore[method-assign]


def _keep_totals(run: probe.Run, totals: list[StepTotal]) -> None:
    """Keep every total norm that the run would send."""
    uplink = job_of(run).uplink

    def keep(sent: Totals) -> None:
        totals.extend(sent.steps)

    uplink.send_totals = keep  # type: ignore[method-assign]


def _keep_reports(run: probe.Run, reports: list[tuple[str, str, str | None]]) -> None:
    """Keep what the run would report of every command."""

    def keep(report: Report) -> None:
        reports.append((report.command.kind, report.state.value, report.reason))

    job_of(run).reports.add_listener(keep)


def _afterwards(job: Job) -> list[Bits]:
    bits = []
    for step in range(STEPS + 1, STEPS + AFTERWARDS + 1):
        job.step(step)
        bits.append(snapshot(job))
    return bits


def _readings(sample: Sample, names: list[str]) -> dict[str, tuple[str, float]]:
    return {
        name: (State(code).word, float(norm))
        for name, code, norm in zip(names, sample.states, sample.values[GRAD_NORM], strict=False)
    }


def _agree(norm: float, figure: Figure) -> bool:
    """Whether a norm summed in float32 may be this one.

    A sum of n squares, in any order, is off by at most n·u relative to itself (u = 2⁻²⁴; n - 1
    additions and the squaring; Higham, Accuracy and Stability of Numerical Algorithms, 3.1).
    The root halves that and is itself rounded once; another u covers terms of second order.
    """
    if not math.isfinite(figure.norm):
        return not math.isfinite(norm)
    return abs(norm - figure.norm) <= (figure.numel / 2 + 2) * 2.0**-24 * figure.norm


def _as_bits(value: Any) -> object:
    if isinstance(value, Tensor):
        dense = local(value.detach())
        dense = dense.coalesce().to_dense() if dense.is_sparse else dense
        return (str(value.dtype), value.is_sparse, tuple(dense.shape), _bytes(dense))
    if isinstance(value, (list, tuple)):
        return [_as_bits(each) for each in value]
    return repr(value)


def _bytes(dense: Tensor) -> bytes:
    return dense.contiguous().reshape(-1).view(torch.uint8).numpy(force=True).tobytes()


def _hook_counts(module: nn.Module) -> dict[str, int]:
    tables = {name: table for name, table in module.__dict__.items() if "hooks" in name}
    return {name: len(table) for name, table in tables.items() if table is not None}
