"""The end of a step: every part has its turn, whatever fails before it."""

from __future__ import annotations

from typing import Any

import pytest
from torch.optim import SGD

from gradgate import probe
from gradgate.probe.model.commands import FreezeCommand
from gradgate.probe.session.run import job_of
from tests.support.steered import chain, reports_of, steps


def broken(*_: Any, **__: Any) -> Any:
    raise AttributeError("no part")


@pytest.mark.parametrize(
    "path",
    [
        "measurement.finish_sample",
        "measurement.members.refresh",
        "measurement.members.catch_up",
        "measurement.timer.step_ended",
        "explainer.end_trace",
        "explainer.boundary",
        "gates.accounting.end_step",
        "freezer.follow_script",
        "previews.boundary",
        "delivery.send",
        "alignment.follow_gates",
    ],
)
def test_commands_are_applied_whatever_else_fails(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """And the step counts, the next is planned, and gates let their parameters be trained."""
    monkeypatch.delenv("GRADGATE_STRICT")
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        job = job_of(run)
        reports = reports_of(run)
        run.gate("param:stem.bias")
        part: Any = job
        *names, method = path.split(".")
        for name in names:
            part = getattr(part, name)
        job.queue.submit(FreezeCommand("head", by="rest", id=7))
        monkeypatch.setattr(part, method, broken)
        steps(model, optimizer, 1, 1)
        monkeypatch.undo()
        assert job.state.step == 1
        assert "applied" in [r.state.value for r in reports if r.command.id == 7]
        assert not model.head.weight.requires_grad
        assert model.stem.bias.requires_grad
        assert job.guard.faults > 0


def test_commands_are_applied_where_modules_without_a_graph_cannot_be_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The fault is counted, the step too, and the modules go on without a graph."""
    monkeypatch.delenv("GRADGATE_STRICT")
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        job = job_of(run)
        reports = reports_of(run)
        run.freeze("stem", mode="no_grad")
        steps(model, optimizer, 1, 1)
        assert job.freezer.no_grad.paths == ("stem",)
        job.queue.submit(FreezeCommand("head", by="rest", id=7))
        monkeypatch.setattr(job.freezer, "leave_no_grad", broken)
        steps(model, optimizer, 2, 2)
        monkeypatch.undo()
        assert job.state.step == 2
        assert "applied" in [r.state.value for r in reports if r.command.id == 7]
        assert not model.head.weight.requires_grad
        assert job.guard.faults > 0
        assert job.freezer.no_grad.paths == ("stem",)


def test_a_bad_figure_of_a_backward_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures may come several at once, where a device is late."""
    monkeypatch.delenv("GRADGATE_STRICT")
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        job = job_of(run)
        taken: list[Any] = []

        def receive(timing: Any) -> None:
            if timing == "bad":
                raise AttributeError("no seconds")
            taken.append(timing)

        monkeypatch.setattr(job.measurement.timer, "step_ended", lambda step: ["bad", "good"])
        monkeypatch.setattr("gradgate.probe.steer.savings.Savings.add", lambda _, t: receive(t))
        steps(model, optimizer, 1, 1)
        assert taken == ["good"]
        assert job.guard.faults == 1


def test_a_step_that_is_not_sampled_sends_no_sample() -> None:
    """It is counted, and what is commanded is applied."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=3) as run:
        job = job_of(run)
        sampled = []
        for step in range(1, 7):
            steps(model, optimizer, step, step)
            latest = job.measurement.latest.sample
            sampled.append(None if latest is None else latest.step)
        assert sampled == [None, None, 3, 3, 3, 6]


def test_the_first_gate_of_a_run_knows_which_step_it_comes_into() -> None:
    """However many steps were made without one."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steps(model, optimizer, 1, 5)
        run.gate("param:stem.bias", when="step == 6")
        closed = []
        for step in range(6, 9):
            steps(model, optimizer, step, step)
            closed.append(model.stem.bias.grad is None)
        assert closed == [True, False, False]
