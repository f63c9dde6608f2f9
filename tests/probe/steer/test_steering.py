"""A boundary: what is asked is admitted and applied in order, and each command is guarded alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from torch.optim import SGD

from gradgate import probe
from gradgate.probe.model.commands import (
    Command,
    FreezeCommand,
    GateCommand,
    RefusedCommand,
    Report,
    ThawCommand,
    read_command,
)
from gradgate.probe.session.job import Job
from gradgate.probe.session.run import job_of
from tests.support.steered import chain, steps

FAULT = "gradgate failed inside (AttributeError: 'Thing' object has no attribute 'x')"


class Steered:
    """A job with reports that are kept."""

    def __init__(self, run: probe.Run) -> None:
        self.job: Job = job_of(run)
        self.reports: list[Report] = []
        self.job.reports.add_listener(self.reports.append)

    def submit(self, *commands: Command) -> None:
        for command in commands:
            self.job.queue.submit(command)

    def ends(self) -> dict[int | None, tuple[str, str | None]]:
        """How each command stands, and why."""
        return {report.command.id: (report.state.value, report.reason) for report in self.reports}


def freeze(target: str, number: int, mode: str = "grad") -> FreezeCommand:
    return FreezeCommand(target, mode, by="rest", id=number)


def thaw(target: str, number: int) -> ThawCommand:
    return ThawCommand(target, by="rest", id=number)


def failing(good: Callable[..., Any], at: int) -> Callable[..., Any]:
    """``good``, but for the call of this number."""
    calls = iter(range(1000))

    def call(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == at:
            raise AttributeError("'Thing' object has no attribute 'x'")
        return good(*args, **kwargs)

    return call


@pytest.mark.parametrize(
    ("part", "method"),
    [("freezer", "check"), ("freezer", "freeze"), ("steering", "resolve")],
)
def test_a_command_that_fails_is_rejected_with_its_fault_and_the_others_are_applied(
    monkeypatch: pytest.MonkeyPatch, part: str, method: str
) -> None:
    """Three freezes are queued, and the probe has a fault in the check or the change of one."""
    monkeypatch.delenv("GRADGATE_STRICT")
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steered = Steered(run)
        broken = getattr(steered.job, part)
        monkeypatch.setattr(broken, method, failing(getattr(broken, method), 1))
        steered.submit(freeze("stem", 1), freeze("body", 2), freeze("head", 3))
        steps(model, optimizer, 1, 1)
        assert steered.ends() == {
            1: ("applied", None),
            2: ("rejected", f"{FAULT}; see the job's log; nothing was done"),
            3: ("applied", None),
        }
        steps(model, optimizer, 2, 2)
        assert [steered.ends()[number][0] for number in (1, 3)] == ["verified", "verified"]
        assert steered.job.guard.faults == 1


def test_a_gate_that_fails_while_it_is_made_leaves_its_neighbours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is done as soon as it is admitted, and guarded there as well."""
    monkeypatch.delenv("GRADGATE_STRICT")
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steered = Steered(run)
        registry = steered.job.gates.registry
        monkeypatch.setattr(registry, "apply", failing(registry.apply, 0))
        gates = [
            GateCommand(site, site, by="rest", id=number)
            for number, site in enumerate(("param:stem.bias", "param:head.bias"), 1)
        ]
        steered.submit(*gates, freeze("body", 3))
        steps(model, optimizer, 1, 1)
        assert steered.ends() == {
            1: ("rejected", f"{FAULT}; see the job's log; nothing was done"),
            2: ("applied", None),
            3: ("applied", None),
        }


def test_commands_are_applied_though_verification_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was frozen before cannot be looked at, and what is asked now is done."""
    monkeypatch.delenv("GRADGATE_STRICT")
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steered = Steered(run)
        run.freeze("stem", mode="no_grad")
        steps(model, optimizer, 1, 1)
        monkeypatch.setattr(steered.job.freezer, "leave_no_grad", failing(len, 0))
        steered.submit(freeze("head", 1))
        steps(model, optimizer, 2, 2)
        assert steered.ends()[1] == ("applied", None)
        assert steered.job.guard.faults == 1


def test_what_nobody_can_do_is_rejected_in_its_turn() -> None:
    """An unknown kind, a target that is not there, a condition that cannot be read."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steered = Steered(run)
        steered.submit(
            read_command({"kind": "melt", "target": "a", "id": 1}),
            RefusedCommand("a", "because", by="rest", id=2),
            freeze("haed", 3),
            GateCommand("param:stem.bias", "param:stem.bias", "1 +", by="rest", id=4),
            freeze("head", 5),
        )
        steps(model, optimizer, 1, 1)
        ends = steered.ends()
        assert [ends[number][0] for number in range(1, 6)] == ["rejected"] * 4 + ["applied"]
        reasons = [str(ends[number][1]) for number in range(1, 5)]
        assert "upgrade gradgate in the training job" in reasons[0]
        assert reasons[1] == "because"
        assert "did you mean 'head'" in reasons[2]
        assert "\n" not in reasons[3]
        assert {report.step for report in steered.reports if report.state == "rejected"} == {1}


def test_of_opposite_commands_at_one_boundary_the_later_stands() -> None:
    """The one that is undone whole says so; one that is undone in part is applied."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steered = Steered(run)
        steered.submit(freeze("head", 1), freeze("stem", 2), thaw("head", 3), thaw("stem.bias", 4))
        steps(model, optimizer, 1, 1)
        assert steered.ends() == {
            1: ("superseded", "a later command asked at the same step to thaw"),
            2: ("applied", None),
            3: ("applied", None),
            4: ("applied", None),
        }
        assert not model.stem.weight.requires_grad
        assert model.stem.bias.requires_grad
        steered.submit(thaw("stem", 5), freeze("stem", 6))
        steps(model, optimizer, 2, 2)
        assert steered.ends()[5] == (
            "superseded",
            "a later command asked at the same step to freeze",
        )


def test_the_same_twice_at_one_boundary_is_no_undoing() -> None:
    """Both are applied, and both are verified."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steered = Steered(run)
        steered.submit(freeze("head", 1), freeze("head", 2))
        steps(model, optimizer, 1, 2)
        assert {state for state, _ in steered.ends().values()} == {"verified"}


def test_a_boundary_says_whether_freezes_changed() -> None:
    """By that the server is told what is frozen; a gate is told of otherwise."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steered = Steered(run)
        steering = steered.job.steering
        steps(model, optimizer, 1, 1)
        assert not steering.boundary(2, look=False)
        steered.submit(GateCommand("param:stem.bias", "param:stem.bias", by="rest", id=1))
        assert not steering.boundary(3, look=False)
        steered.submit(freeze("head", 2))
        assert steering.boundary(4, look=False)


def test_a_step_that_was_skipped_proves_nothing() -> None:
    """Neither a freeze nor a gate is verified by it."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steered = Steered(run)
        steps(model, optimizer, 1, 1)
        steered.submit(freeze("head", 1))
        steering = steered.job.steering
        steering.boundary(2, look=False)
        steering.boundary(3, look=False, skipped=True)
        assert steered.ends()[1][0] == "applied"
        steering.boundary(4, look=False)
        assert steered.ends()[1][0] == "verified"
