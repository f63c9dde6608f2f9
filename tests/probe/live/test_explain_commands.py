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

    def add(self, *targets: str) -> None:
        for number, target in enumerate(targets, 1):
            self.commands.add(ExplainCommand(target, by="server", id=number))


class Failing:
    """What was explained: the second layer, and a fault where it is asked for the first."""

    def __contains__(self, name: object) -> bool:
        if str(name).startswith("0."):
            raise RuntimeError("a fault of the probe's own")
        return name == "1.weight"


def test_a_command_waits_for_a_trace_and_is_applied() -> None:
    """It is applied to what was explained of its target, once."""
    asked = Asked()
    assert not asked.commands.waiting
    asked.add("0")
    assert asked.commands.waiting
    assert asked.commands.numbers == [1]
    asked.commands.apply(4, {"0.bias", "1.bias"})
    assert not asked.commands.waiting
    asked.commands.apply(5, {"0.bias"})
    assert asked.told == [(1, "applied", 4, [1], None)]


def test_a_command_whose_target_has_gone_is_rejected_and_the_others_are_applied() -> None:
    """With the nearest names, at the answer: the model may have changed in the traced step."""
    asked = Asked()
    asked.add("0", "nothing", "1")
    asked.commands.apply(4, {"0.bias", "1.bias"})
    assert [told[:3] for told in asked.told] == [
        (1, "applied", 4),
        (2, "rejected", 4),
        (3, "applied", 4),
    ]
    reason = asked.told[1][4]
    assert reason is not None
    assert "matches no parameter" in reason


def test_a_command_that_fails_takes_no_other_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is rejected with the fault, and the other is applied."""
    monkeypatch.delenv("GRADGATE_STRICT")
    asked = Asked()
    asked.add("0", "1")
    asked.commands.apply(4, Failing())
    assert [told[1] for told in asked.told] == ["rejected", "applied"]
    reason = asked.told[0][4]
    assert reason is not None
    assert reason.startswith("gradgate failed inside (")
    assert reason.endswith(").")


def test_commands_are_rejected_with_a_reason() -> None:
    """Where the whole trace failed."""
    asked = Asked()
    asked.add("0", "1")
    asked.commands.reject(4, "It failed.")
    assert asked.told == [
        (1, "rejected", 4, [], "It failed."),
        (2, "rejected", 4, [], "It failed."),
    ]
