"""Freezes in mode no_grad that wait for a forward."""

from __future__ import annotations

from typing import Any

import pytest
from torch.optim import SGD

from gradgate import probe
from gradgate.probe.model.commands import FreezeCommand, Report, ThawCommand
from gradgate.probe.model.selection import Selection
from gradgate.probe.session.run import job_of
from gradgate.probe.steer.no_grad_trial import NoGradTrials
from gradgate.probe.steer.observation import Observation, Observing
from tests.support.steered import chain, hook_counts, steps


def freeze(target: str, number: int) -> FreezeCommand:
    return FreezeCommand(target, "no_grad", by="rest", id=number)


class Tried:
    """Trials of a job that makes steps, decided by the test."""

    def __init__(self, run: probe.Run, model: Any, optimizer: Any) -> None:
        self.job = job_of(run)
        self.model, self.optimizer = model, optimizer
        self.told: list[Report] = []
        self.job.reports.add_listener(self.told.append)
        observing = Observing(self.job.models, self.job.table, self.job.freezer, self.job.guard)
        self.trials = NoGradTrials(observing, self.job.reports, self.job.guard)

    def begin(self, target: str, number: int, *, frozen: bool = False) -> Selection:
        command = freeze(target, number)
        selection = self.job.steering.resolve(command)
        self.trials.begin(command, selection, frozen=frozen)
        return selection

    def decide(self, step: int) -> list[int | None]:
        steps(self.model, self.optimizer, step, step)
        return [command.id for command, _ in self.trials.decide(step)]

    def ends(self) -> list[tuple[int | None, str, str | None]]:
        return [(r.command.id, r.state.value, r.reason) for r in self.told]


def test_what_cuts_nothing_passes_and_the_others_are_rejected_by_name() -> None:
    """Nothing trainable is before the stem; the body has the stem before it."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        hooks = hook_counts(model)
        tried = Tried(run, model, optimizer)
        tried.begin("body", 1)
        tried.begin("stem", 2)
        tried.begin("head", 3, frozen=True)
        assert tried.decide(1) == [2]
        assert hook_counts(model) == hooks
        (body, head) = tried.ends()
        assert body[:2] == (1, "rejected")
        assert "the gradient of stem.weight (and 1 more), which would lose theirs" in str(body[2])
        assert head[:2] == (3, "rejected")
        assert str(head[2]).endswith(" Its parameters are frozen in mode 'grad'.")
        assert tried.decide(2) == []


def test_a_later_command_stands_over_one_that_waits() -> None:
    """Where it takes all of it; where it takes a part, the rest is still tried."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        tried = Tried(run, model, optimizer)
        whole = tried.begin("stem", 1)
        tried.trials.outdate(
            ThawCommand("stem.bias", by="rest", id=2), Selection([whole.indexes[1]]), 1
        )
        assert tried.ends() == []
        steps(model, optimizer, 1, 1)
        ((_, rest),) = tried.trials.decide(1)
        assert rest.indexes == whole.indexes[:1]
        tried.begin("stem", 3)
        hooks = hook_counts(model)
        tried.trials.outdate(ThawCommand("stem", by="rest", id=4), whole, 1)
        reason = "a later thaw came before the step that was to show its effect"
        assert tried.ends() == [(3, "superseded", reason)]
        assert hook_counts(model) != hooks
        assert tried.decide(2) == []
        assert tried.ends() == [(3, "superseded", reason)]


def test_a_trial_that_fails_is_rejected_with_its_fault_and_the_next_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One bad trial takes no other along."""
    monkeypatch.delenv("GRADGATE_STRICT")
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        tried = Tried(run, model, optimizer)
        tried.begin("body", 1)
        tried.begin("stem", 2)
        good = Observation.problem

        def broken(observation: Observation) -> str | None:
            if observation.upstream().indexes:
                raise AttributeError("no upstream")
            return good(observation)

        monkeypatch.setattr(Observation, "problem", broken)
        assert tried.decide(1) == [2]
        assert tried.ends() == [
            (
                1,
                "rejected",
                "gradgate failed inside (AttributeError: no upstream); see the job's log.",
            )
        ]


def test_after_the_stop_nothing_is_watched() -> None:
    """A detach leaves no hook behind."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        hooks = hook_counts(model)
        tried = Tried(run, model, optimizer)
        tried.begin("stem", 1)
        assert hook_counts(model) != hooks
        tried.trials.stop()
        assert hook_counts(model) == hooks
        assert tried.decide(1) == []
