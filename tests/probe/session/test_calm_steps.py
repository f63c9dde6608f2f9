"""Sampled steps that tell nothing new are measured and ended in few calls, and no others."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from statistics import median
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import SGD

from gradgate import probe
from gradgate.probe.base.states import State
from gradgate.probe.link.uplink import Uplink
from gradgate.probe.measure.sampler import Sampler
from gradgate.probe.model.commands import FreezeCommand
from gradgate.probe.model.sample import GRAD_NORM, Sample
from gradgate.probe.model.totals import BEFORE_CLIPPING, StepTotal
from gradgate.probe.progress import progress
from gradgate.probe.progress.progress import Progress
from gradgate.probe.session import calm_steps, outlook
from gradgate.probe.session.calm_steps import CalmSteps
from gradgate.probe.session.run import job_of
from tests.support.steered import chain, loss_of

LEAST = 60
"""Steps after which nothing that learns is left, and samples may wait."""


class Job:
    """A run in the midst of a lull whose steps are all sampled; follows what is done of it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(outlook, "LONGEST", 60.0)
        self.measured: list[int] = []
        """Steps that were measured here."""
        self.passed: list[int] = []
        """Steps that were ended here."""
        self.samples: list[Sample] = []
        self.totals: list[StepTotal] = []
        begins, passes = CalmSteps.begins, CalmSteps.passes

        def begin(calm: CalmSteps, k: int, *, alone: bool) -> bool:
            done = begins(calm, k, alone=alone)
            if done:
                self.measured.append(calm._state.step + 1)
            return done

        def end(calm: CalmSteps, k: int) -> bool:
            done = passes(calm, k)
            if done:
                self.passed.append(calm._state.step)
            return done

        patch.setattr(CalmSteps, "begins", begin)
        patch.setattr(CalmSteps, "passes", end)
        send = self.samples.append
        patch.setattr(Uplink, "send_sample", lambda _, sample: send(sample))
        patch.setattr(Uplink, "send_pending", lambda _, pending: send(pending.sample()))
        patch.setattr(Uplink, "send_totals", lambda _, totals: self.totals.extend(totals.steps))
        patch.setattr(Uplink, "_is_told", True)
        self.model, self.optimizer = chain(SGD)
        self.run = probe.attach(self.model, self.optimizer, server=False, every=1, totals=True)
        job_of(self.run).totals.start()
        while job_of(self.run).state.step < LEAST or not self.is_calm:
            self.step()

    @property
    def is_calm(self) -> bool:
        """Whether this step was passed, and the next two may be."""
        latest = job_of(self.run).state.step
        lull = job_of(self.run).cycle._lull
        return latest in self.passed and lull.lasts(latest + 2)

    @property
    def latest(self) -> int:
        return job_of(self.run).state.step

    def step(
        self,
        before: Callable[[], object] = lambda: None,
        *,
        closure: bool = False,
        clear: bool = True,
    ) -> None:
        """Make a step; ``before`` is called between its backward and the optimizer's step."""

        def compute() -> Tensor:
            loss = loss_of(self.model, self.latest)
            loss.backward()
            return loss

        if closure:
            self.optimizer.step(compute)
        else:
            compute()
            before()
            self.optimizer.step()
        if clear:
            self.optimizer.zero_grad()


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    made = Job(monkeypatch)
    yield made
    made.run.detach()


def test_each_has_its_sample_and_its_total_norm(job: Job) -> None:
    """Once, and right."""
    first = job.latest
    norms = []

    def look() -> None:
        grads = [p.grad.double() for p in job.model.parameters() if p.grad is not None]
        norms.append(math.sqrt(sum(float(grad.square().sum()) for grad in grads)))

    job.step(look)
    job.step(look)
    assert job.passed[-2:] == job.measured[-2:] == [first + 1, first + 2]
    assert [sample.step for sample in job.samples] == list(range(1, first + 3))
    job.run.flush()
    told = {total.step: total.norm for total in job.totals}
    assert [told[first + 1], told[first + 2]] == pytest.approx(norms, rel=1e-6)


def grad_of(job: Job) -> Tensor:
    """The gradient of the first layer's bias."""
    grad: Tensor | None = job.model.stem.bias.grad
    assert grad is not None
    return grad


def scale_of(job: Job, scale: float) -> None:
    grad_of(job).mul_(scale)


CHANGES: dict[str, tuple[Callable[[Job], object], State]] = {
    "missing": (lambda job: setattr(job.model.stem.bias, "grad", None), State.ABSENT),
    "zero": (lambda job: grad_of(job).zero_(), State.ZERO),
    "nan": (lambda job: scale_of(job, math.nan), State.NONFINITE),
    "infinite": (lambda job: scale_of(job, math.inf), State.NONFINITE),
    "underflowing": (lambda job: grad_of(job).fill_(1e-30), State.PRESENT),
    "frozen": (lambda job: job.model.stem.bias.requires_grad_(False), State.FROZEN),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_step_that_tells_something_new_is_measured_as_ever(job: Job, change: str) -> None:
    """In that step, and told at once; a norm whose squares underflow is right all the same."""
    act, state = CHANGES[change]
    job.step(lambda: act(job))
    sample = job.samples[-1]
    assert (sample.step, State(sample.states[1])) == (job.latest, state)
    assert len(job.samples) == job.latest
    if change == "underflowing":
        rows = len(job.model.stem.bias)
        assert sample.values[GRAD_NORM][1] == pytest.approx(1e-30 * math.sqrt(rows), rel=1e-6)
    else:
        assert job.latest not in job.measured


def test_gradients_that_a_step_has_used_already_are_told_as_stale(job: Job) -> None:
    """Where ``zero_grad`` was not called, and no backward came."""
    job.step(clear=False)
    job.optimizer.step()
    assert job.latest not in job.measured
    assert job.samples[-1].step == job.latest
    assert set(job.samples[-1].states.tolist()) == {int(State.STALE)}
    job.optimizer.zero_grad()
    job.step()  # and that they are new again is news
    assert job.latest not in job.measured
    assert set(job.samples[-1].states.tolist()) == {int(State.PRESENT)}


def test_nothing_is_measured_here_once_the_lull_is_over(job: Job) -> None:
    """As where a command has come between two steps."""
    job_of(job.run).cycle._lull.end()
    job.step()
    assert job.latest not in job.measured


@pytest.mark.parametrize("hook", ["register_step_pre_hook", "register_step_post_hook"])
def test_a_module_that_is_added_inside_a_step_is_in_its_sample(job: Job, hook: str) -> None:
    """Though all that the optimizer holds was measured before."""

    def grow(*_: object) -> None:
        if not hasattr(job.model, "late"):
            job.model.late = nn.Linear(2, 2)

    handle = getattr(job.optimizer, hook)(grow)
    if hook == "register_step_post_hook":  # that one is to be called before the probe's
        handles = job.optimizer._optimizer_step_post_hooks
        handles.move_to_end(handle.id, last=False)
    job.step()
    handle.remove()
    assert len(job.samples[-1].states) == 10
    assert State(job.samples[-1].states[-1]) is State.ABSENT


@pytest.mark.parametrize("part", ["finish_calm", "before_step", "after_step"])
def test_a_fault_keeps_nothing_else_of_the_step_from_being_done(
    job: Job, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sample is on its way, its total norm is told, and its gradients are used."""
    monkeypatch.delenv("GRADGATE_STRICT", raising=False)
    owner = Sampler if part == "finish_calm" else Progress
    done = getattr(owner, part)

    def fail(*args: Any, **named: Any) -> None:
        done(*args, **named)
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(owner, part, fail)
        job.step(clear=False)
    assert job.latest in job.passed
    assert job.samples[-1].step == job.latest
    job.optimizer.step()  # of what was used already
    job.run.flush()
    assert set(job.samples[-1].states.tolist()) == {int(State.STALE)}
    assert {total.step for total in job.totals} >= {job.latest - 1, job.latest}


def test_a_part_that_fails_again_and_again_is_switched_off_in_time(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the tenth step, as everywhere."""
    monkeypatch.delenv("GRADGATE_STRICT", raising=False)

    def fail(_: Progress, k: int, step: int) -> None:
        exec(compile("raise ZeroDivisionError", progress.__file__, "exec"))

    monkeypatch.setattr(Progress, "before_step", fail)
    for _ in range(20):
        job.step()
    (note,) = (each for each in job.run.notes() if each.cause == "switched_off")
    assert note.detail is not None
    assert " 10 steps" in note.detail


def test_what_a_step_that_raised_has_measured_is_nobody_elses(job: Job) -> None:
    """As of the step behind it, which computes its gradients by a closure."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    handle = job.optimizer.register_step_pre_hook(fail)
    with pytest.raises(ZeroDivisionError):
        job.step()
    handle.remove()
    job.optimizer.zero_grad()
    with torch.no_grad():
        job.model.head.weight.mul_(2.0)
    stem = job.model.stem

    def compute() -> Tensor:
        loss = loss_of(job.model, job.latest)
        loss.backward()
        stem.weight.grad = None
        return loss

    job.optimizer.step(compute)
    assert stem.bias.grad is not None
    norm = float(stem.bias.grad.double().norm())
    norms, states = job.samples[-1].values[GRAD_NORM], job.samples[-1].states
    assert norms[1] == pytest.approx(norm, rel=1e-6)
    assert math.isnan(norms[0])
    assert states[0] == State.ABSENT


def test_a_closure_computes_what_is_measured_inside_the_step(job: Job) -> None:
    """Before it there is nothing."""
    job.step(closure=True)
    assert job.latest not in job.measured
    assert set(job.samples[-1].states.tolist()) == {int(State.PRESENT)}


@pytest.mark.parametrize("name", ["grad_scale", "found_inf"])
def test_a_scaler_of_a_fused_optimizer_is_minded(job: Job, name: str) -> None:
    """It hands the factor over for the time of the step."""
    handle = job.optimizer.register_step_pre_hook(lambda *_: delattr(job.optimizer, name))
    job.step(lambda: setattr(job.optimizer, name, torch.full((1,), 2.0)))
    handle.remove()
    assert job.latest not in job.measured
    job.step()
    scaled, plain = (sample.values[GRAD_NORM] for sample in job.samples[-2:])
    assert (scaled[0] < 0.75 * plain[0]) == (name == "grad_scale")


def test_a_forked_child_measures_nothing(job: Job) -> None:
    """The run is another process's."""
    job_of(job.run).state.process += 1
    measured = len(job.measured)
    job.step()
    assert len(job.measured) == measured
    job_of(job.run).state.process -= 1


@pytest.mark.parametrize("what", ["command", "timing", "end", "totals", "capture", "backward"])
def test_what_turns_up_in_a_step_has_its_boundary_do_all(
    job: Job, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sample is taken already, and told once."""
    inner = job_of(job.run)

    def turn_up(*_: object) -> None:
        if what == "command":
            inner.queue.submit(FreezeCommand("head", by="rest", id=7))
        elif what == "timing":
            inner.measurement.timer.rests = False
        elif what == "end":
            inner.cycle._lull.end()
        elif what == "totals":
            inner.totals._send_at = 0.0
        elif what == "backward":
            monkeypatch.setattr(calm_steps, "inside_backward", lambda: True)
        else:
            monkeypatch.setattr(calm_steps, "capturing", lambda: True)

    handle = job.optimizer.register_step_pre_hook(turn_up)
    job.step()
    handle.remove()
    assert job.latest in job.measured
    assert job.latest not in job.passed
    assert [sample.step for sample in job.samples] == list(range(1, job.latest + 1))
    assert job.model.head.weight.requires_grad == (what != "command")


def test_a_norm_that_clipping_has_computed_is_told(job: Job) -> None:
    """As before clipping, and not what is left of it."""
    norm = []
    job.step(lambda: norm.append(clip_grad_norm_(job.model.parameters(), 1e-3)))
    step = job.latest
    assert step in job.measured
    job.run.flush()
    (told,) = (total for total in job.totals if total.step == step)
    assert (told.norm, told.flags) == (pytest.approx(float(norm[0]), rel=1e-6), BEFORE_CLIPPING)


def test_a_fault_of_what_sends_keeps_no_gradient_from_counting_as_used(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor the step from being counted."""
    monkeypatch.delenv("GRADGATE_STRICT", raising=False)
    job.step(clear=False)
    before = job.latest

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    job.optimizer.zero_grad()
    with monkeypatch.context() as patch:
        patch.setattr(Uplink, "send_pending", fail)
        job.step(clear=False)
    assert job.latest == before + 1
    job.optimizer.step()  # of what was used already
    job.run.flush()
    assert set(job.samples[-1].states.tolist()) == {int(State.STALE)}


def test_what_zero_grad_drops_waits_for_no_mark(job: Job) -> None:
    """It is taken in here, in few calls, and no other part hears of it."""
    told: list[Any] = []
    cycle = job_of(job.run).cycle
    inner = SimpleNamespace(cleared=cycle.cleared)
    cycle.cleared = lambda *args, **named: told.append(inner.cleared(*args, **named))  # type: ignore[method-assign]
    job.step()
    assert told == []
    assert not job_of(job.run).measurement.unmarked
    job.optimizer.zero_grad(set_to_none=False)
    assert len(told) == 1


def test_a_step_leaves_few_objects_behind(job: Job) -> None:
    """The collector of garbage comes after so many, however small, and looks at all of a job's."""
    job.samples.clear()
    gc.collect()
    gc.disable()
    try:
        left = []
        for _ in range(12):
            job.step()
            left.append(gc.get_count()[0])
    finally:
        gc.enable()
    assert job.passed[-12:] == list(range(job.latest - 11, job.latest + 1))
    # A sample, made here in place of who sends it, and its total norm.
    assert median(later - earlier for earlier, later in pairwise(left)) <= 12


def test_a_norm_whose_squares_underflow_tells_nothing_new(job: Job) -> None:
    """It is taken again by its largest element; one that is zero then does."""

    def scale(factor: float) -> Callable[[], None]:
        def fill() -> None:
            for parameter in job.model.parameters():
                assert parameter.grad is not None
                parameter.grad.fill_(factor)

        return fill

    job.step(scale(1e-30))
    assert job.measured[-1] == job.latest
    norms = job.samples[-1].values[GRAD_NORM]
    sizes = [parameter.numel() for parameter in job.model.parameters()]
    assert norms.tolist() == pytest.approx([1e-30 * math.sqrt(size) for size in sizes], 1e-6)
    job.step(scale(0.0))
    assert job.measured[-1] == job.latest - 1
    assert set(job.samples[-1].states.tolist()) == {int(State.ZERO)}


def test_a_step_that_is_measured_here_and_not_ended_here_has_its_sample(job: Job) -> None:
    """As where a command comes meanwhile: all is in it as it was measured, once."""
    norms = []

    def look() -> None:
        norms.extend(float(p.grad.double().norm()) for p in job.model.parameters())  # type: ignore[union-attr]
        handle = job.optimizer.register_step_pre_hook(submit)
        removals.append(handle.remove)

    def submit(*_: object) -> None:
        for parameter in job.model.parameters():  # they were measured already
            assert parameter.grad is not None
            parameter.grad.mul_(2.0)
        job_of(job.run).queue.submit(FreezeCommand("head", by="rest", id=7))

    removals = list[Callable[[], None]]()
    job.step(look)
    for remove in removals:
        remove()
    assert job.measured[-1] == job.latest
    assert job.latest not in job.passed
    assert job.samples[-1].step == job.latest
    assert job.samples[-1].values[GRAD_NORM].tolist() == pytest.approx(norms, rel=1e-6)
    assert set(job.samples[-1].states.tolist()) == {int(State.PRESENT)}
