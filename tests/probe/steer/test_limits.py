"""Freezes and gates that undo themselves."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest
import torch
from torch.optim import SGD

from gradgate import probe
from gradgate.probe.model.commands import FreezeCommand, GateCommand, UngateCommand
from gradgate.probe.model.freeze import Freeze
from gradgate.probe.model.limit import Limit
from gradgate.probe.session.run import Run, job_of
from gradgate.probe.steer.limits import AGAIN, LEASE, Limits
from tests.support.steered import chain, reports_of, steps
from tests.support.zoo import weights


def frozen(run: Run) -> set[str]:
    """The names of what is frozen by command."""
    return {info.name for info in run.parameters() if info.frozen is not None}


def moved(model: Any, before: dict[str, bytes]) -> set[str]:
    """The names of the weights that have another bit."""
    return {name for name, bits in weights(model).items() if bits != before[name]}


def test_a_freeze_lasts_its_steps_to_the_bit() -> None:
    """In none of them a weight moves, and in the next one it does."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steps(model, optimizer, 1, 2)
        before = weights(model)
        run.freeze("head", for_steps=3)
        steps(model, optimizer, 3, 5)
        assert not {"head.weight", "head.bias"} & moved(model, before)
        assert frozen(run) == set()
        steps(model, optimizer, 6, 6)
        assert {"head.weight", "head.bias"} <= moved(model, before)


def test_a_gate_is_removed_after_its_steps() -> None:
    """It is closed in each of them, and then it is gone."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        number = run.gate("param:head.weight", for_steps=2)
        before = weights(model)
        steps(model, optimizer, 1, 1)
        assert [gate.id for gate in run.gates()] == [number]
        steps(model, optimizer, 2, 2)
        assert run.gates() == []
        assert "head.weight" not in moved(model, before)
        steps(model, optimizer, 3, 3)
        assert "head.weight" in moved(model, before)


def test_a_freeze_ends_with_the_step_in_which_its_seconds_are_over() -> None:
    """However many steps that takes."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("head", for_seconds=0.05)
        for step in itertools.count(1):
            steps(model, optimizer, step, step)
            if not frozen(run):
                break
        before = weights(model)
        steps(model, optimizer, step + 1, step + 1)
        assert "head.weight" in moved(model, before)


def test_seconds_pass_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """In which the clock of the processor may stand still."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("head", for_seconds=3600)
        steps(model, optimizer, 1, 2)
        assert frozen(run) == {"head.weight", "head.bias"}
        clock = time.clock_gettime
        monkeypatch.setattr(time, "clock_gettime", lambda which: clock(which) + 3601)
        steps(model, optimizer, 3, 4)
        assert frozen(run) == set()


def test_it_is_undone_by_a_command_that_names_whose_limit_it_was() -> None:
    """The log has a thaw, applied and verified."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        job_of(run).queue.submit(
            FreezeCommand("head", limit=Limit(steps=1), by="ann (browser)", id=7)
        )
        steps(model, optimizer, 1, 4)
        thaws = [report for report in reports if report.command.kind == "thaw"]
        assert [report.state.value for report in thaws] == ["delivered", "applied", "verified"]
        assert thaws[0].command.by == "limit of command 7"
        assert thaws[0].command.target == "head"
        assert thaws[1].step == 2


@pytest.mark.parametrize("target", ["head", "head.*", "*", "head.weight"])
def test_what_others_froze_meanwhile_stays_frozen(target: str) -> None:
    """A later freeze of a part of it is another's, with its statistics."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze(target, for_steps=2, hold_stats=target == "*")
        steps(model, optimizer, 1, 1)
        run.freeze("head.weight")
        run.freeze("body", hold_stats=True)
        mean = model.body[1].running_mean.clone()
        steps(model, optimizer, 2, 4)
        assert frozen(run) == {
            "head.weight", "body.0.weight", "body.0.bias", "body.1.weight", "body.1.bias"
        }  # fmt: skip
        assert torch.equal(model.body[1].running_mean, mean)


def test_who_thawed_it_before_has_the_last_word() -> None:
    """Nothing is undone twice, and a freeze without a limit stays."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("head", for_steps=2)
        run.thaw("head")
        run.freeze("head")
        reports = reports_of(run)
        steps(model, optimizer, 1, 4)
        assert frozen(run) == {"head.weight", "head.bias"}
        assert {report.command.kind for report in reports} == {"freeze"}


def test_the_later_of_two_limits_counts() -> None:
    """A freeze that is asked for again lasts from then on."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("head", for_steps=2)
        steps(model, optimizer, 1, 1)
        run.freeze("head", for_steps=3)
        steps(model, optimizer, 2, 3)
        assert frozen(run) == {"head.weight", "head.bias"}
        steps(model, optimizer, 4, 4)
        assert frozen(run) == set()


@pytest.mark.parametrize("limit", [None, {"steps": 3}, {"steps": 9}])
def test_a_gate_that_was_changed_lasts_as_its_change_says(limit: dict[str, int] | None) -> None:
    """With the same limit as before it goes on, and does not begin anew."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        number = run.gate("param:head.weight", for_steps=3)
        steps(model, optimizer, 1, 1)
        fields = {"site": "param:head.weight", "when": "step > 0", "gate": number, "limit": limit}
        job_of(run).queue.submit(GateCommand.from_message(fields))
        steps(model, optimizer, 2, 3)
        same = limit == {"steps": 3}
        assert len(run.gates()) == (0 if same else 1)
        steps(model, optimizer, 4, 12)
        assert len(run.gates()) == (1 if limit is None else 0)


def test_what_is_left_goes_into_a_checkpoint_and_out_of_it() -> None:
    """A resumed job undoes it when the first would have, statistics included."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("body", hold_stats=True, for_steps=5)
        run.gate("param:head.weight", for_steps=4)
        steps(model, optimizer, 1, 2)
        saved = run.state_dict()
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.load_state_dict(saved)
        assert run.state_dict() == saved
        steps(model, optimizer, 3, 4)
        assert run.gates() == []
        assert "body.0.weight" in frozen(run)
        mean = model.body[1].running_mean.clone()
        steps(model, optimizer, 5, 5)
        assert frozen(run) == set()
        assert torch.equal(model.body[1].running_mean, mean)
        steps(model, optimizer, 6, 6)
        assert not torch.equal(model.body[1].running_mean, mean)


def test_a_state_of_before_there_were_limits_is_read() -> None:
    """What it has lasts."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("head")
        run.gate("param:stem.weight")
        saved = run.state_dict()
        for item in (*saved["freezes"], *saved["gates"]):
            del item["limit"]
        run.load_state_dict(saved)
        steps(model, optimizer, 1, 2)
        assert frozen(run) == {"head.weight", "head.bias"}
        assert len(run.gates()) == 1


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def watched(run: Run, clock: Clock) -> Limits:
    """The limits of a run in which command 7 has frozen the head while somebody watches."""
    job = job_of(run)
    limits = Limits(job.freezer.records, job.gates.registry, itertools.count(1), clock)
    job.queue.submit(FreezeCommand("head", limit=Limit(while_watched=True), by="ann", id=7))
    return limits


def test_what_lasts_while_a_page_is_there_ends_a_minute_after_it_has_gone() -> None:
    """Counted from when the job heard of it last, or from its begin."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        clock = Clock()
        limits = watched(run, clock)
        steps(model, optimizer, 1, 1)
        made = next(info.frozen for info in run.parameters() if info.frozen)
        limits.add_freeze("head", made)
        clock.now += LEASE
        assert limits.due(1) == []
        limits.watch([7])
        clock.now += LEASE
        limits.watch([8])
        assert limits.due(2) == []
        clock.now += 0.1
        assert [command.target for command in limits.due(3)] == ["head"]
        assert limits.due(4) == []


def test_what_could_not_be_undone_is_tried_again() -> None:
    """After a while, as long as it is there."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        clock = Clock()
        limits = watched(run, clock)
        steps(model, optimizer, 1, 1)
        limits.add_freeze("head", next(info.frozen for info in run.parameters() if info.frozen))
        clock.now += LEASE + 1
        asked = [step for step in range(2, 2 * AGAIN) if limits.due(step)]
        assert asked == [2, 2 + AGAIN]
        run.thaw("head")
        assert limits.due(2 + 2 * AGAIN) == []


def test_a_removal_that_comes_too_late_says_so() -> None:
    """A gate that was changed while its limit was agreed on between ranks stays."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        number = run.gate("param:head.weight", for_steps=5)
        reports = reports_of(run)
        job_of(run).queue.submit(UngateCommand(f"gate {number}", number, as_of=9, by="limit"))
        steps(model, optimizer, 1, 1)
        assert len(run.gates()) == 1
        assert "changed at step 0" in (reports[-1].reason or "")


def test_a_freeze_without_a_limit_is_not_followed() -> None:
    """Nothing is ever due of it."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        job = job_of(run)
        limits = Limits(job.freezer.records, job.gates.registry, itertools.count(1))
        limits.add_freeze("head", Freeze("ann", "grad", 1, 7))
        assert limits.due(10**9) == []
