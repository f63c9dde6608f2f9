"""The verdict of all ranks on a command."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import nn

from gradgate.probe.base.guard import Guard
from gradgate.probe.model.commands import (
    CommandState,
    FreezeCommand,
    ParameterCommand,
    Report,
    ThawCommand,
)
from gradgate.probe.model.table import ParameterTable
from gradgate.probe.steer.rank_verdicts import RankVerdicts

VERIFIED, DRIFTED = CommandState.VERIFIED, CommandState.DRIFTED


@dataclass
class Board:
    """What ranks post, in the place of the store that they share."""

    posted: dict[str, dict[int, Any]] = field(default_factory=dict)


@dataclass
class Rank:
    """One of two ranks."""

    board: Board
    rank: int

    @property
    def leader(self) -> bool:
        return self.rank == 0

    def post(self, topic: str, value: object) -> None:
        self.board.posted.setdefault(topic, {})[self.rank] = value

    def collect(self, topic: str) -> dict[int, Any] | None:
        said = self.board.posted.get(topic, {})
        return said if len(said) == 2 else None


class World:
    """Two ranks with the same model."""

    def __init__(self) -> None:
        board = Board()
        self.models: list[nn.Module] = []
        self.verdicts: list[RankVerdicts] = []
        for rank in range(2):
            torch.manual_seed(0)
            self.models.append(nn.Linear(2, 2))
            table = ParameterTable({"": self.models[rank]})
            ranks: Any = Rank(board, rank)
            self.verdicts.append(RankVerdicts(ranks, table, Guard()))

    def merge(self, rank: int, *reports: Report) -> list[tuple[CommandState, str | None]]:
        merged = self.verdicts[rank].merge(reports)
        return [(report.state, report.reason or report.detail) for report in merged]


def report(
    state: CommandState = VERIFIED, command: ParameterCommand | None = None, **told: Any
) -> Report:
    command = command or FreezeCommand("*", by="rest", id=1)
    return Report(command, state, parameters=[0, 1], **told)


def test_verified_is_told_when_every_rank_has_verified() -> None:
    """The leader holds its report back, and the others keep theirs to themselves."""
    world = World()
    assert world.merge(0, report(detail="all of it")) == []
    assert world.merge(0) == []
    assert world.merge(1, report()) == []
    assert world.merge(0) == [(VERIFIED, "all of it, on all 2 ranks")]
    assert world.merge(0) == []


def test_weights_that_differ_between_ranks_are_no_freeze() -> None:
    """Each rank's bits stood still, and yet they are not the same."""
    world = World()
    with torch.no_grad():
        world.models[1].bias.add_(1)
    world.merge(1, report())
    assert world.merge(0, report()) == [
        (DRIFTED, "what is frozen differs between rank 0 and rank 1")
    ]


def test_of_a_thaw_the_bits_may_differ() -> None:
    """It says that parameters are trained, and nothing of their values."""
    world = World()
    with torch.no_grad():
        world.models[1].bias.add_(1)
    thaw = ThawCommand("*", by="rest", id=1)
    world.merge(1, report(command=thaw))
    assert world.merge(0, report(command=thaw)) == [(VERIFIED, "on all 2 ranks")]


def test_the_first_rank_on_which_it_did_not_hold_is_named() -> None:
    """Though it held on the leader."""
    world = World()
    world.merge(1, report(DRIFTED, reason="moved"))
    assert world.merge(0, report()) == [(DRIFTED, "on rank 1: moved")]


def test_other_reports_pass_and_a_later_drift_is_told_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Only the first verdict is everybody's; another rank says a later one in its log."""
    world = World()
    assert world.merge(0, report(CommandState.APPLIED)) == [(CommandState.APPLIED, None)]
    for rank in (1, 0):
        world.merge(rank, report())
    with caplog.at_level(logging.WARNING, "gradgate"):
        assert world.merge(0, report(DRIFTED, reason="moved")) == [(DRIFTED, "moved")]
        assert not caplog.records
        assert world.merge(1, report(DRIFTED, reason="moved")) == [(DRIFTED, "moved")]
    assert "rank 1: moved" in caplog.text


def test_a_fault_in_one_verdict_is_told_and_the_next_is_merged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What could not be compared is no proof; its neighbours are not lost."""
    monkeypatch.delenv("GRADGATE_STRICT")
    world = World()
    second = FreezeCommand("*", by="rest", id=2)
    nowhere = Report(FreezeCommand("*", by="rest", id=1), VERIFIED, parameters=[99])
    world.merge(1, report(), report(command=second))
    merged = world.merge(0, nowhere, report(command=second))
    assert [state for state, _ in merged] == [DRIFTED, VERIFIED]
    assert str(merged[0][1]).startswith("on rank 0: gradgate failed inside (IndexError")


def test_what_a_rank_said_that_cannot_be_read_costs_its_own_command_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is reported once, as not proved."""
    monkeypatch.delenv("GRADGATE_STRICT")
    world = World()
    second = FreezeCommand("*", by="rest", id=2)
    world.merge(1, report(command=second))
    assert world.merge(0, report(), report(command=second)) == [(VERIFIED, "on all 2 ranks")]
    monkeypatch.setattr(Rank, "collect", lambda self, topic: {0: None, 1: None})
    ((state, reason),) = world.merge(0)
    assert state is DRIFTED
    assert str(reason).startswith("what the ranks found could not be compared: gradgate failed")
    assert world.merge(0) == []
