"""Boundaries put work off where nothing is asked of a run, and nowhere else."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import SGD, Optimizer

from gradgate import probe
from gradgate.probe.base.states import State
from gradgate.probe.link.uplink import Uplink
from gradgate.probe.measure.backward_timer import BackwardTimer
from gradgate.probe.measure.pending_sample import Part
from gradgate.probe.measure.sampler import Sampler
from gradgate.probe.model.commands import FreezeCommand
from gradgate.probe.model.sample import GRAD_NORM, Sample
from gradgate.probe.progress.close_look import Look
from gradgate.probe.progress.updates import Updates
from gradgate.probe.session import outlook
from gradgate.probe.session.judging import SETTLED as JUDGED
from gradgate.probe.session.lull import Lull
from gradgate.probe.session.outlook import FEWEST, MOST
from gradgate.probe.session.run import job_of
from gradgate.probe.session.step_end import StepEnd
from gradgate.probe.session.unseen_steps import UnseenSteps
from gradgate.probe.torch_compat.readback import Readback
from tests.support.steered import chain, loss_of, reports_of, scaled_step, steps

SETTLED = 45
"""Steps after which hooks that learn are gone, and samples may wait."""


@dataclass
class Seen:
    """What the boundaries have done, and what was sent."""

    passed: list[int] = field(default_factory=list)
    quiet: list[int] = field(default_factory=list)
    calm: list[int] = field(default_factory=list)
    """Steps that were measured, and no more, before they were made."""
    unseen: list[int] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    totals: dict[int, float] = field(default_factory=dict)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Follow the boundaries of a run, which have time; look for the total norm in no step."""
    found = Seen()
    monkeypatch.setattr(outlook, "LONGEST", 60.0)
    go_on, begins, passes = StepEnd._pass, UnseenSteps.begins, UnseenSteps.passes

    def record(end: StepEnd, *, sampled: bool) -> None:
        found.passed.append(end._state.step)
        go_on(end, sampled=sampled)

    def begin(unseen: UnseenSteps, k: int, args: Any, kwargs: Any) -> bool:
        alone = begins(unseen, k, args, kwargs)
        if unseen.is_quiet:
            found.quiet.append(unseen._state.step + 1)
        elif alone:
            found.calm.append(unseen._state.step + 1)
        return alone

    def end(unseen: UnseenSteps, k: int) -> bool:
        done = passes(unseen, k)
        if done:
            found.passed.append(unseen._state.step)
        if done and unseen.is_quiet:
            found.unseen.append(unseen._state.step)
        return done

    monkeypatch.setattr(StepEnd, "_pass", record)
    monkeypatch.setattr(UnseenSteps, "begins", begin)
    monkeypatch.setattr(UnseenSteps, "passes", end)
    send = found.samples.append
    monkeypatch.setattr(Uplink, "send_sample", lambda _, sample: send(sample))
    monkeypatch.setattr(Uplink, "send_pending", lambda _, pending: send(pending.sample()))
    monkeypatch.setattr(
        Uplink,
        "send_totals",
        lambda _, totals: found.totals.update({each.step: each.norm for each in totals.steps}),
    )
    monkeypatch.setattr(Uplink, "_is_told", True)
    return found


@pytest.fixture(params=[1, 25], ids=["each step sampled", "some sampled"])
def job(request: pytest.FixtureRequest, seen: Seen) -> Iterator[Any]:
    """A run in the midst of a lull, whose boundaries put their work off."""
    model, optimizer = chain(SGD)
    every = request.param
    with probe.attach(model, optimizer, server=False, every=every, totals=False) as run:
        last = SETTLED
        steps(model, optimizer, 1, last)
        while not job_of(run).cycle._lull.lasts(last + 2):
            last += 1
            steps(model, optimizer, last, last)
        yield Job(run, model, optimizer, last)


@dataclass
class Job:
    """A run in a lull."""

    run: probe.Run
    model: Any
    optimizer: Optimizer
    last: int

    def step(self) -> None:
        self.last += 1
        steps(self.model, self.optimizer, self.last, self.last)


def pass_one(job: Job, seen: Seen) -> None:
    """Make steps until a boundary puts its work off."""
    job.step()
    while job.last not in seen.passed:
        job.step()


def settled(run: Any) -> Lull:
    lull: Lull = job_of(run).cycle._lull
    return lull


def test_most_boundaries_put_their_work_off(job: Job, seen: Seen) -> None:
    """Thirty-two to sixty-four in a row, not always as many; of those between samples all but 2."""
    first = job.last
    while job.last < first + 240:
        job.step()
    passed = [step for step in seen.passed if step > first]
    assert len(passed) > 120
    whole = sorted(set(range(first + 1, job.last + 1)) - set(passed))
    rows = {later - earlier - 1 for earlier, later in pairwise(whole)}
    every = job_of(job.run).measurement.schedule.pace.interval
    assert rows <= set(range(MOST + 1))
    assert len(rows & set(range(FEWEST, MOST + 1))) > 2 or max(rows) == every - 2 < FEWEST


def test_a_command_of_the_server_is_applied_at_the_next_boundary(job: Job) -> None:
    """Whatever was planned."""
    job_of(job.run).queue.submit(FreezeCommand("head", by="rest", id=7))
    assert settled(job.run).lasts(job.last) is False
    job.step()
    assert not job.model.head.weight.requires_grad


def test_a_command_between_two_steps_has_the_next_looked_at(job: Job, seen: Seen) -> None:
    """It is applied at once, and verified at the next boundary."""
    reports = reports_of(job.run)
    job.run.freeze("head")
    job.step()
    assert job.last not in seen.passed
    assert job.last not in seen.quiet
    assert "verified" in {report.state.value for report in reports}


def test_a_command_in_the_midst_of_a_step_is_applied_at_its_end(job: Job) -> None:
    """As from a hook of the script's."""

    def freeze(*_: object) -> None:
        job.run.freeze("head")

    handle = job.model.register_forward_hook(freeze)
    job.step()
    handle.remove()
    assert not job.model.head.weight.requires_grad


def test_a_gate_decides_on_the_step_that_it_is_in(job: Job, seen: Seen) -> None:
    """It is made in a lull, in which nobody told it of steps, and on a figure of the last."""
    pass_one(job, seen)
    job.run.gate("param:stem.bias", when=f"step == {job.last + 1}")
    before = job.model.stem.bias.detach().clone()
    job.step()
    assert torch.equal(job.model.stem.bias, before)
    job.step()
    assert not torch.equal(job.model.stem.bias, before)


def test_an_explanation_is_given_of_the_next_step(job: Job) -> None:
    """Which is traced from its beginning."""
    job.model.stem.bias.requires_grad_(False)
    job.run.explain("stem.bias")
    job.step()
    assert job_of(job.run).explainer.latest.keys() == {"stem.bias"}


def test_a_parameter_that_is_new_is_seen_with_the_next_boundary_of_all(job: Job) -> None:
    """Within sixty-four steps."""
    job.model.late = nn.Linear(2, 2)
    for _ in range(MOST + 1):
        job.step()
    assert "late.weight" in [info.name for info in job.run.parameters()]


def test_a_dropped_step_is_noticed(job: Job, seen: Seen) -> None:
    """A ``GradScaler`` that skips one calls no hook of the optimizer's."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    scaled_step(job.model, job.optimizer, scaler)
    scaled_step(job.model, job.optimizer, scaler, math.inf)
    job.optimizer.zero_grad()
    job.run.flush()
    assert [sample.step for sample in seen.samples if sample.skipped] == [job.last + 2]


def test_all_is_let_go_at_the_end_of_a_run(job: Job, seen: Seen) -> None:
    """What was put off is sent, and steps go on without it."""
    pass_one(job, seen)
    job.run.detach()
    job.step()
    sampled = [sample.step for sample in seen.samples]
    assert sampled == sorted(set(sampled))
    if job_of(job.run).measurement.schedule.pace.takes_all:
        assert sampled[-1] == job.last - 1


@pytest.fixture
def sampled(seen: Seen) -> Iterator[Job]:
    """A run that samples each step, in a lull."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        job = Job(run, model, optimizer, SETTLED)
        steps(model, optimizer, 1, SETTLED)
        while not settled(run).lasts(job.last + 2):
            job.step()
        yield job


def test_each_sample_is_on_its_way_at_once(sampled: Job, seen: Seen) -> None:
    """Behind a step may come a long evaluation, or the end of the process."""
    pass_one(sampled, seen)
    assert seen.samples[-1].step == sampled.last


def test_a_forward_in_a_lull_is_looked_at_by_nobody(
    sampled: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes to look has it looked at, from the end of the lull on."""
    begun: list[object] = []
    monkeypatch.setattr(BackwardTimer, "forward_begins", lambda _, model: begun.append(model))
    lull = settled(sampled.run)
    assert lull.is_on
    loss_of(sampled.model, 1)
    assert begun == []
    assert not job_of(sampled.run).state.between
    lull.end()
    loss_of(sampled.model, 1)
    assert begun == [sampled.model]


def test_the_latest_sample_is_that_of_the_latest_step(sampled: Job, seen: Seen) -> None:
    """For who asks, between two steps and in the midst of one."""
    pass_one(sampled, seen)
    assert {info.step for info in sampled.run.parameters()} == {sampled.last}
    asked: list[Any] = []
    pass_one(sampled, seen)
    handle = sampled.model.register_forward_hook(
        lambda *_: asked.append(sampled.run.parameters()[0].step)
    )
    sampled.step()
    handle.remove()
    assert asked == [sampled.last - 1]


def test_another_thread_that_asks_takes_nothing_in(sampled: Job, seen: Seen) -> None:
    """It would meet the training thread at it."""
    pass_one(sampled, seen)
    known: list[Any] = []
    thread = threading.Thread(
        target=lambda: known.append(sampled.run.parameters()[0].step), daemon=True
    )
    thread.start()
    thread.join(20)
    assert known[0] < sampled.last
    sampled.run.flush()
    assert sampled.run.parameters()[0].step == sampled.last


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_what_a_sample_tells_that_is_new_is_taken_in_at_once(
    sampled: Job, seen: Seen, value: float
) -> None:
    """A gradient that is zeros or not finite."""
    handle = sampled.model.stem.bias.register_hook(lambda grad: torch.full_like(grad, value))
    sampled.step()
    handle.remove()
    assert sampled.last not in seen.passed
    latest = job_of(sampled.run).measurement.latest.sample
    assert latest.step == sampled.last
    assert State.PRESENT not in [latest.states[1]]


def test_a_gradient_that_goes_or_comes_is_taken_in_at_once(sampled: Job, seen: Seen) -> None:
    """As where the script freezes a parameter, and thaws it."""
    for trains in (False, True):
        while not settled(sampled.run).lasts(sampled.last + 1):
            sampled.step()
        sampled.model.stem.bias.requires_grad_(trains)
        sampled.optimizer.zero_grad()
        changed = sampled.last + 1
        pass_one(sampled, seen)
        assert seen.passed[-1] > changed + JUDGED
        assert not set(range(changed, changed + JUDGED)) & set(seen.passed)


def trained(every: int | None, plan: bool, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Train a run for 150 steps, some of which clip; return what was sent and what came of it."""
    found = Seen()
    with monkeypatch.context() as patch:
        if not plan:
            patch.setattr(Lull, "begin", lambda *_, **__: None)
        send = found.samples.append
        patch.setattr(Uplink, "send_sample", lambda _, sample: send(sample))
        patch.setattr(Uplink, "send_pending", lambda _, pending: send(pending.sample()))
        patch.setattr(
            Uplink,
            "send_totals",
            lambda _, totals: found.totals.update({each.step: each.norm for each in totals.steps}),
        )
        model, optimizer = chain(SGD)
        with probe.attach(model, optimizer, server=False, every=every, totals=True) as run:
            job_of(run).totals.start()
            for step in range(1, 151):
                steps_clipped(model, optimizer, step)
            schedule = job_of(run).measurement.schedule
            run.flush()
            made = schedule.meter._steps
        weights = [parameter.detach().clone() for parameter in model.parameters()]
    return [found, weights, made]


def steps_clipped(model: nn.Module, optimizer: Optimizer, step: int) -> None:
    optimizer.zero_grad()
    loss_of(model, step).backward()
    if 60 <= step < 90:
        clip_grad_norm_(model.parameters(), 0.01)
    optimizer.step()


@pytest.mark.parametrize("every", [1, 2, 3, 7, 10])
def test_what_is_told_of_a_run_is_the_same_without_lulls(
    every: int, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every sample to the bit, in its order and once; every total norm; and the weights."""
    with_lulls, without = (trained(every, plan, monkeypatch) for plan in (True, False))
    assert [sample.step for sample in with_lulls[0].samples] == list(range(every, 151, every))
    for mine, its in zip(with_lulls[0].samples, without[0].samples, strict=True):
        assert (mine.step, mine.skipped) == (its.step, its.skipped)
        assert np.array_equal(mine.states, its.states)
        assert mine.values.keys() >= {GRAD_NORM}
        assert np.array_equal(mine.values[GRAD_NORM], its.values[GRAD_NORM], equal_nan=True)
    assert seen.calm
    assert with_lulls[0].totals == without[0].totals
    assert len(with_lulls[0].totals) == 150
    assert all(map(torch.equal, with_lulls[1], without[1]))


def test_no_step_is_missing_in_what_a_run_tells_of_its_pace(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were put off count as they ended, each with what it took."""
    recorded: list[tuple[int, bool]] = []
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        pace = job_of(run).measurement.schedule.pace
        record: Callable[..., None] = pace.record

        def follow(step: int, seconds: float | None, spent: float, *, sampled: bool) -> None:
            assert spent > 0
            recorded.append((step, sampled))
            record(step, seconds, spent, sampled=sampled)

        monkeypatch.setattr(pace, "record", follow)
        steps(model, optimizer, 1, 100)
    assert len(seen.passed) > 20
    assert [step for step, _ in recorded] == list(range(1, len(recorded) + 1))
    assert len(recorded) >= 100 - MOST
    assert all(sampled for _, sampled in recorded)


def test_a_model_of_which_an_optimizer_has_a_part_has_lulls_too(seen: Seen) -> None:
    """As where a small part is tuned, and all else is frozen by the script."""
    model, _ = chain(SGD)
    model.body.requires_grad_(False)
    model.stem.requires_grad_(False)
    optimizer = SGD(model.head.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steps(model, optimizer, 1, 100)
        assert len(seen.passed) > 20
        frozen = [State.FROZEN.word] * 6
        assert [info.state for info in run.parameters()] == [*frozen, "present", "present"]


def test_a_gradient_that_no_optimizer_applies_is_old_in_the_next_step(seen: Seen) -> None:
    """It stays where it is, and a step in which nothing came to it has nothing of it."""
    torch.manual_seed(0)
    apart = nn.Linear(2, 2)
    model = nn.ModuleDict({"used": nn.Linear(2, 2), "apart": apart})
    optimizer = SGD(model["used"].parameters(), lr=0.1)

    def step(both: bool) -> None:
        model.zero_grad()
        hidden = model["used"](torch.ones(1, 2))
        (apart(hidden) if both else hidden).sum().backward()
        optimizer.step()

    with probe.attach(model, optimizer, server=False, every=1) as run:
        for _ in range(80):
            step(both=True)
        passed = len(seen.passed)
        assert passed > 10
        step(both=False)
        assert [info.state for info in run.parameters()][2:] == ["absent", "absent"]


@pytest.mark.parametrize(
    ("part", "name", "asks"),
    [
        ("_steering", "rests", False),
        ("_explainer", "rests", False),
        ("_previews", "waiting", True),
        ("_failing", "due", ["a part"]),
        ("_gates", "changes", 1),
        ("_freezes", "freezes", {0: "a freeze"}),
    ],
)
def test_a_part_that_may_want_something_is_a_reason_for_none(
    job: Job, seen: Seen, part: str, name: str, asks: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them alone."""
    ahead = job_of(job.run).cycle._end._outlook
    stand_in = type("Asking", (), {name: asks})()
    settled(job.run).end()
    with monkeypatch.context() as patch:
        patch.setattr(ahead, part, stand_in)
        ahead.plan(job.last)
        assert not settled(job.run).is_quiet
        assert not settled(job.run).lasts(job.last + 1)


def test_who_has_commanded_once_has_each_boundary_do_all(job: Job, seen: Seen) -> None:
    """What is thawed is verified, too, and what was frozen may be written to."""
    job.run.freeze("head")
    job.run.thaw("head")
    before = len(seen.passed)
    for _ in range(SETTLED):
        job.step()
    assert len(seen.passed) == before


def test_freezes_and_gates_from_a_checkpoint_are_a_reason_for_none(seen: Seen) -> None:
    """They were commanded in another run."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("head")
        run.gate("param:stem.bias", when="step == 7")
        steps(model, optimizer, 1, 2)
        state = run.state_dict()
    again, optimizer = chain(SGD)
    with probe.attach(again, optimizer, server=False, every=1) as run:
        run.load_state_dict(state)
        steps(again, optimizer, 1, 100)
        assert seen.passed == []


def test_the_step_behind_one_out_of_line_is_sampled(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As soon as its norm is known, whatever was planned."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=40, totals=True) as run:
        job_of(run).totals.start()
        for step in range(1, 200):
            handle = model.stem.bias.register_hook(
                lambda grad, step=step: grad * (1e6 if step in (93, 141, 187) else 1.0)
            )
            steps(model, optimizer, step, step)
            handle.remove()
            model.load_state_dict(chain(SGD)[0].state_dict())
    sampled = [sample.step for sample in seen.samples]
    assert {94, 142, 188} <= set(sampled)


@pytest.mark.parametrize("every", [1, 25])
def test_each_backward_is_told_of_its_own_step(
    every: int, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those that are timed: a boundary that puts its work off leaves none for the next."""
    model, optimizer = chain(SGD)
    timed, told = [], []
    with probe.attach(model, optimizer, server=False, every=every, totals=False) as run:
        timer = job_of(run).measurement.timer
        end = timer.step_ended
        monkeypatch.setattr(
            timer, "step_ended", lambda step: [told.append(each.step) or each for each in end(step)]
        )
        for step in range(1, 121):
            if not timer.rests:
                timed.append(step)
            steps(model, optimizer, step, step)
    assert len(timed) < 110
    assert len(seen.passed) > 5
    assert told == timed


def test_with_several_optimizers_each_step_is_looked_at(seen: Seen) -> None:
    """Nobody knows which of them the next sampled step is of."""
    model, _ = chain(SGD)
    both = [SGD(model.stem.parameters(), 0.1), SGD(model.head.parameters(), 0.1)]
    with probe.attach(model, both, server=False, every=25, totals=False):
        for step in range(1, 121):
            model.zero_grad()
            loss_of(model, step).backward()
            for optimizer in both:
                optimizer.step()
    assert seen.quiet == []
    assert len(seen.passed) > 20


def test_a_sample_on_its_way_from_a_device_is_taken_in_as_it_arrives(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may tell of a gradient that is not finite."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=25, totals=False) as run:
        steps(model, optimizer, 1, 99)
        with monkeypatch.context() as patch:
            patch.setattr(Readback, "ready", lambda _: False)
            steps(model, optimizer, 100, 110)
        assert max(seen.passed) < 100
        steps(model, optimizer, 111, 111)
        assert job_of(run).measurement.latest.sample.step == 100


@pytest.mark.parametrize(("totals", "progress"), [(True, True), (False, True), (True, False)])
def test_who_looks_between_samples_is_there_in_each_step(
    seen: Seen, totals: bool, progress: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at the total norm, or at gradients that were not cleared."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=25, totals=False) as run:
        steps(model, optimizer, 1, 80)
        ahead = job_of(run).cycle._end._outlook
        with monkeypatch.context() as patch:
            for part, rests in (("_totals", totals), ("_progress", progress)):
                stand_in = type(
                    "Resting", (), {"rests": rests, "due_at": math.inf, "looks_closely": False}
                )()
                patch.setattr(ahead, part, stand_in)
            ahead.plan(80)
        assert settled(run).is_quiet is (totals and progress)


@pytest.mark.parametrize("every", [1, 25])
def test_a_close_look_is_over_soon_and_the_next_steps_are_left_alone(
    every: int, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a step and what comes before the next, and not a whole lull; it waits for none."""
    model, optimizer = chain(SGD)
    looks: list[int] = []
    receive = Updates.receive_looks
    with probe.attach(model, optimizer, server=False, every=every, totals=False) as run:
        job = Job(run, model, optimizer, SETTLED)
        steps(model, optimizer, 1, SETTLED)

        def alone() -> bool:
            return settled(run).is_quiet or settled(run).is_calm

        while not (alone() and settled(run).lasts(job.last + 2)):
            job.step()

        def take(updates: Updates, seen: Iterable[Look]) -> None:
            looks.append(job_of(run).state.step)
            receive(updates, seen)

        monkeypatch.setattr(Updates, "receive_looks", take)
        job_of(run).progress._close.want([0])
        job.step()
        assert alone(), "what is wanted waits for the boundary behind the lull"
        settled(run).end()
        job.step()
        planned = job.last
        assert not alone()
        job.step()
        job.step()
        assert looks == [planned + 1]
        assert alone()
        assert settled(run).lasts(job.last + 1)


def test_total_norms_that_are_on_the_host_end_a_lull_when_they_are_due(
    quiet: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others gather with them meanwhile, and they are sent then."""
    ahead, now = job_of(quiet.run).cycle._end._outlook, [100.0]
    lull = settled(quiet.run)
    monkeypatch.setattr(lull, "_clock", lambda: now[0])
    monkeypatch.setattr(ahead, "_clock", lambda: now[0])
    stand_in = type("Waiting", (), {"rests": True, "due_at": 101.0})()
    monkeypatch.setattr(ahead, "_totals", stand_in)
    ahead.plan(quiet.last)
    assert lull.lasts(quiet.last + 1)
    now[0] = 101.0
    assert not lull.lasts(quiet.last + 1)


def test_a_sample_is_judged_by_what_was_held_in_its_step(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And options are told of the step that has applied them, the latest."""
    model, optimizer = chain(SGD)
    noted, received = list[int](), list[tuple[int, bool]]()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        judging = job_of(run).delivery.judging
        note, receive = judging.note, judging.receive
        monkeypatch.setattr(judging, "note", lambda step: (noted.append(step), note(step)))

        def follow(measured: Any, *, is_latest: bool) -> None:
            received.append((measured.sample.step, is_latest))
            receive(measured, is_latest=is_latest)

        monkeypatch.setattr(judging, "receive", follow)
        steps(model, optimizer, 1, 100)
    assert len(noted) > 20
    assert noted == seen.passed
    assert [step for step, is_latest in received if not is_latest] == [
        step for step in seen.passed if (step + 1, True) in received or step + 1 in seen.passed
    ]


def test_a_step_in_which_an_optimizer_waits_is_taken_in_at_once(seen: Seen) -> None:
    """What it holds is not asked for a gradient in such a step, and others may be."""
    model, _ = chain(SGD)
    often = SGD([*model.stem.parameters(), *model.body.parameters()], 0.1)
    seldom = SGD(model.head.parameters(), 0.1)
    with probe.attach(model, [often, seldom], server=False, every=1):
        for step in range(1, 121):
            model.zero_grad()
            loss_of(model, step).backward()
            often.step()
            if step < 60 or step % 3:
                seldom.step()
    waiting = {sample.step for sample in seen.samples if sample.waiting}
    assert waiting
    assert not waiting & set(seen.passed)


@pytest.fixture
def quiet(seen: Seen) -> Iterator[Job]:
    """A run that samples each 25th step, in which nobody looks at the coming one."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=25, totals=False) as run:
        job = Job(run, model, optimizer, SETTLED)
        steps(model, optimizer, 1, SETTLED)
        while not (job.last in seen.unseen and settled(run).lasts(job.last + 2)):
            job.step()
        yield job


def test_most_steps_without_a_sample_are_looked_at_by_nobody(quiet: Job, seen: Seen) -> None:
    """Also of those behind a sample, whose gradients wait for a mark until they are cleared."""
    first = quiet.last
    while quiet.last < first + 100:
        quiet.step()
    unseen = [step for step in seen.unseen if step > first]
    assert len(unseen) > 55
    assert {step % 25 for step in unseen} & {1, 2}


@pytest.mark.parametrize("what", ["log", "command"])
def test_what_comes_in_the_midst_of_a_step_belongs_to_it(quiet: Job, what: str) -> None:
    """Once its forward has begun, which is noted though nobody looks; and not to the one before."""
    state = job_of(quiet.run).state
    loss = loss_of(quiet.model, quiet.last + 1)
    assert settled(quiet.run).is_quiet
    assert state.coming_step() == quiet.last + 1
    if what == "log":
        quiet.run.log(loss=loss)
        (pending,) = job_of(quiet.run).measurement.metrics._pending
        assert pending.step == quiet.last + 1
        return
    quiet.run.freeze("head")
    assert quiet.model.head.weight.requires_grad
    loss.backward()
    quiet.optimizer.step()
    assert not quiet.model.head.weight.requires_grad


@pytest.mark.parametrize("how", ["no_grad", "inference_mode", "traced"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_what_is_no_forward_of_the_job_begins_no_step(quiet: Job, how: str) -> None:
    """An evaluation, and a program that is made: a command behind it takes effect at once."""
    if how == "traced":
        torch.jit.trace(quiet.model, torch.ones(4, 6), check_trace=False)
    else:
        with getattr(torch, how)():
            quiet.model(torch.ones(4, 6))
    assert settled(quiet.run).is_quiet
    quiet.run.freeze("head")
    assert not quiet.model.head.weight.requires_grad


def test_a_clip_in_a_step_that_nobody_wanted_to_look_at_is_seen(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is known of that step alone, and in the next, which may clip too, somebody looks."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=25, totals=None) as run:
        totals = job_of(run).totals
        totals.start()
        # As behind a look that the budget does not pay for yet.
        monkeypatch.setattr(totals, "_allowance", SimpleNamespace(covers=lambda: False))
        step = 0
        while not (step in seen.unseen and settled(run).lasts(step + 1)):
            step += 1
            steps(model, optimizer, step, step)
        loss_of(model, step + 1).backward()
        clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        assert step in seen.unseen
        assert step + 1 not in seen.unseen
        assert not totals.clips
        assert not totals.rests


def test_what_a_run_tells_of_its_pace_is_told_of_each_step(
    quiet: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those that nobody looked at, too."""
    recorded: list[int] = []
    pace = job_of(quiet.run).measurement.schedule.pace
    record: Callable[..., None] = pace.record

    def follow(step: int, seconds: float | None, spent: float, *, sampled: bool) -> None:
        assert seconds is not None
        assert seconds > 0
        assert sampled is (step % 25 == 0)
        recorded.append(step)
        record(step, seconds, spent, sampled=sampled)

    monkeypatch.setattr(pace, "record", follow)
    for _ in range(100):
        quiet.step()
    assert recorded == list(range(recorded[0], recorded[-1] + 1))
    assert len(recorded) >= 100 - MOST


def test_what_comes_from_a_device_is_measured_once_a_step(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it tells anything new is not known before it is asked for."""
    tried = list[int]()
    monkeypatch.setattr(Part, "__post_init__", lambda _: None)  # as on a device
    monkeypatch.setattr(Sampler, "measure_calm", lambda *_, **__: tried.append(1))
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1, totals=False):
        steps(model, optimizer, 1, SETTLED + 2 * MOST)
    assert [sample.step for sample in seen.samples] == list(range(1, SETTLED + 2 * MOST + 1))
    assert tried == []
