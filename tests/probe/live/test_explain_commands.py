"""Commands that ask for an explanation, one by one."""

from __future__ import annotations

import pytest
from torch import nn

from gradgate.probe.base.guard import Guard
from gradgate.probe.live.explain_commands import ExplainCommands
from gradgate.probe.model.commands import ExplainCommand, Report
from gradgate.probe.model.table import ParameterTable

Told = tuple[int | None, str, int | None, list[int], str | None]


class Asked:
    """Commands about two layers, and what was reported of them."""

    def __init__(self) -> None:
        table = ParameterTable({"": nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))})
        self.told: list[Told] = []
        self.commands = ExplainCommands(table, self.report, Guard())

    def report(self, report: Report) -> None:
        told = (report.command.id, report.state.value, report.step, report.parameters)
        self.told.append((*told, report.reason))

    def submit(self, *targets: str) -> None:
        for number, target in enumerate(targets, 1):
            self.commands.submit(ExplainCommand(target, by="server", id=number))


def test_a_command_is_delivered_accepted_and_applied() -> None:
    """It waits from the boundary on, and is applied to what was explained of its target."""
    asked = Asked()
    asked.submit("0")
    assert not asked.commands.waiting
    asked.commands.accept(3)
    assert asked.commands.waiting
    taken = asked.commands.take()
    assert not asked.commands.waiting
    asked.commands.apply(taken, 4, {"0.bias", "1.bias"})
    assert asked.told == [(1, "delivered", None, [], None), (1, "applied", 4, [1], None)]
    asked.commands.accept(5)
    assert not asked.commands.waiting


def test_a_command_that_names_nothing_is_rejected_at_the_boundary() -> None:
    """With the nearest names; its neighbours wait."""
    asked = Asked()
    asked.submit("0", "nothing", "1")
    asked.commands.accept(3)
    ((number, state, step, _, reason),) = asked.told[3:]
    assert (number, state, step) == (2, "rejected", 3)
    assert reason is not None
    assert "matches no parameter" in reason
    assert [command.id for command in asked.commands.take()] == [1, 3]


def test_a_command_that_fails_takes_no_other_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is rejected with the fault, at the boundary and at its answer alike."""
    monkeypatch.delenv("GRADGATE_STRICT")
    asked = Asked()
    asked.submit("0", None, "1")  # type: ignore[arg-type]  # no string: a fault of the probe's own
    asked.commands.accept(3)
    assert [command.id for command in asked.commands.take()] == [1, 3]
    (_, state, _, _, reason) = asked.told[3]
    assert state == "rejected"
    assert reason is not None
    assert reason.startswith("gradgate failed inside (")
    assert reason.endswith(").")
    bad, good = (ExplainCommand(t, by="server") for t in (None, "1"))  # type: ignore[arg-type]
    asked.commands.apply([bad, good], 4, {"1.weight"})
    assert [told[1] for told in asked.told[4:]] == ["rejected", "applied"]


def test_commands_are_rejected_with_a_reason() -> None:
    """Where the whole trace failed."""
    asked = Asked()
    asked.submit("0", "1")
    asked.commands.accept(3)
    asked.commands.reject(asked.commands.take(), 4, "It failed.")
    assert asked.told[2:] == [
        (1, "rejected", 4, [], "It failed."),
        (2, "rejected", 4, [], "It failed."),
    ]
