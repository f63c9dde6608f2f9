"""Proofs of commands about gates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from torch.optim import SGD

from gradgate import probe
from gradgate.probe.model.commands import GateCommand, Report, UngateCommand
from gradgate.probe.session.job import Job
from gradgate.probe.session.run import job_of
from tests.support.steered import chain, steps


def gate(site: str, number: int, **fields: Any) -> GateCommand:
    return GateCommand(site, site, by="rest", id=number, **fields)


class Watched:
    """A job under way, and what it reports of its commands."""

    def __init__(self) -> None:
        self.model, self.optimizer = chain(SGD)
        self.run = probe.attach(self.model, self.optimizer, server=False, every=1)
        self.job: Job = job_of(self.run)
        self.reports: list[Report] = []
        self.job.reports.add_listener(self.reports.append)

    def step(self, number: int) -> None:
        steps(self.model, self.optimizer, number, number)

    def told(self, number: int) -> list[tuple[str, int | None, str | None]]:
        return [
            (report.state.value, report.step, report.reason or report.detail)
            for report in self.reports
            if report.command.id == number
        ]


@pytest.fixture
def job() -> Iterator[Watched]:
    """A job that ends with the test: until then there are gates, for all hooks that are made."""
    watched = Watched()
    with watched.run:
        yield watched


def test_a_gate_is_verified_by_the_gradient_that_it_decided(job: Watched) -> None:
    """After the step that follows, closed or open; before any gradient has come it is not."""
    job.job.queue.submit(gate("param:stem.bias", 1))
    job.job.queue.submit(gate("param:head.bias", 2, when="step < 0"))
    job.job.queue.submit(gate("site:nowhere", 3))
    job.step(1)
    assert job.told(1) == [("delivered", None, None), ("applied", 1, None)]
    job.step(2)
    assert job.told(1)[2:] == [("verified", 1, "closed in step 2")]
    assert job.told(2)[2:] == [("verified", 1, "open in step 2")]
    assert job.told(3)[2:] == []
    job.step(3)
    assert len(job.told(1)) == 3


def test_a_gate_that_is_paused_or_gone_needs_no_gradient(job: Watched) -> None:
    """It lets everything pass, or is not there."""
    job.job.queue.submit(gate("site:nowhere", 1, paused=True))
    job.step(1)
    job.job.queue.submit(UngateCommand("gate 1", 1, by="rest", id=2))
    job.step(2)
    job.step(3)
    assert job.told(1)[2:] == [("verified", 1, "paused: it lets everything pass")]
    assert job.told(2)[2:] == [("verified", 2, "no gate is there any more")]


def test_a_gate_that_is_changed_before_its_proof_is_superseded(job: Watched) -> None:
    """The change is proved in its place."""
    job.job.queue.submit(gate("param:stem.bias", 1))
    job.step(1)
    number = job.run.gates()[0].id
    job.job.queue.submit(gate("site:nowhere", 2, gate=number))
    job.step(2)
    job.job.queue.submit(gate("param:stem.bias", 3, gate=number))
    job.step(3)
    job.step(4)
    assert job.told(2)[2:] == [("superseded", 4, "the gate was changed again")]
    assert job.told(3)[2:] == [("verified", 3, "closed in step 4")]


def test_a_proof_that_fails_is_told_once_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its neighbours are proved; when the fault has gone, so is it."""
    monkeypatch.delenv("GRADGATE_STRICT")
    job = Watched()
    job.job.queue.submit(gate("param:stem.bias", 1))
    job.job.queue.submit(gate("param:head.bias", 2))
    job.step(1)
    registry = job.job.gates.registry
    good = registry.get

    def broken(number: int) -> Any:
        if number == 1:
            raise AttributeError("no such gate")
        return good(number)

    with monkeypatch.context() as patch:
        patch.setattr(registry, "get", broken)
        job.step(2)
        job.step(3)
    assert job.told(2)[-1][0] == "verified"
    (failed,) = job.told(1)[2:]
    assert failed[:2] == ("applied", 1)
    assert str(failed[2]).startswith("could not be checked after step 2: gradgate failed inside")
    job.step(4)
    assert job.told(1)[-1] == ("verified", 1, "closed in step 4")
    job.run.detach()
