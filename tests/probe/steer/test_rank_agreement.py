"""Commands that all ranks apply after the same step."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import pytest

from gradgate.probe.base.errors import CommandError
from gradgate.probe.base.guard import Guard
from gradgate.probe.distributed.exchange import RanksApart
from gradgate.probe.model.commands import Command, FreezeCommand, Report, ThawCommand
from gradgate.probe.steer.rank_agreement import RankAgreement
from gradgate.probe.steer.reports import Reports
from gradgate.probe.torch_compat.wrappers import Wrappers


class Talking:
    """A rank whose batches the test hands over."""

    def __init__(self, *, leader: bool) -> None:
        self.leader = leader
        self.published: list[Mapping[str, Any]] = []
        self.due: list[Mapping[str, Any]] = []
        self.off: list[tuple[Mapping[str, Any], str]] = []

    def publish(self, batch: Mapping[str, Any]) -> None:
        self.published.append(batch)

    def receive(self, step: int) -> list[Mapping[str, Any]]:
        due, self.due = self.due, []
        return due

    def called_off(self) -> list[tuple[Mapping[str, Any], str]]:
        off, self.off = self.off, []
        return off


def agreement(*, leader: bool = True) -> tuple[RankAgreement, Talking, list[Report]]:
    told: list[Report] = []
    reports = Reports(Guard())
    reports.add_listener(told.append)
    talking = Talking(leader=leader)
    ranks: Any = talking
    return RankAgreement(ranks, Wrappers({}), reports, Guard()), talking, told


COMMANDS: list[Command] = [
    FreezeCommand("a", "no_grad", True, by="rest", id=1),
    ThawCommand("b", True, by="python", local=4),
]


def test_what_the_leader_publishes_is_what_every_rank_applies() -> None:
    """Field by field, with who asked; and only when the batch has found its step."""
    agreed, talking, _ = agreement()
    assert agreed.exchange(COMMANDS, 3) == []
    (batch,) = talking.published
    talking.due = [batch]
    assert agreed.exchange([], 4) == COMMANDS
    assert len(talking.published) == 1


def test_another_rank_publishes_nothing() -> None:
    """It hears of what is wanted."""
    agreed, talking, _ = agreement(leader=False)
    agreed.exchange(COMMANDS, 3)
    assert talking.published == []
    assert not agreed.leads


def test_a_batch_that_is_off_is_rejected_command_by_command() -> None:
    """With what the ranks say."""
    agreed, talking, told = agreement()
    agreed.exchange(COMMANDS, 3)
    talking.off = [(talking.published[0], "rank 1 of 2 did not answer.")]
    agreed.exchange([], 5)
    assert [(r.command, r.state.value, r.reason, r.step) for r in told] == [
        (command, "rejected", "rank 1 of 2 did not answer.", 5) for command in COMMANDS
    ]


def test_a_command_that_cannot_be_published_takes_no_other_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is rejected with the fault."""
    monkeypatch.delenv("GRADGATE_STRICT")
    agreed, talking, told = agreement()

    class Broken(FreezeCommand):
        def as_message(self) -> dict[str, Any]:
            raise AttributeError("no fields")

    agreed.exchange([Broken("a", by="rest", id=7), *COMMANDS], 3)
    assert len(talking.published[0]["commands"]) == 2
    assert [(r.command.id, r.state.value) for r in told] == [(7, "rejected")]
    assert "AttributeError: no fields" in str(told[0].reason)


def test_a_command_that_cannot_be_read_takes_no_other_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What stands beside it in the batch is applied."""
    monkeypatch.delenv("GRADGATE_STRICT")
    agreed, talking, _ = agreement()
    talking.due = [{"commands": [{"id": "x", "kind": "melt"}, COMMANDS[1].as_message()]}]
    assert agreed.exchange([], 3) == COMMANDS[1:]


def test_a_job_that_is_not_distributed_needs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless there are ranks by now that this run does not talk to."""
    wrappers = Wrappers({})
    alone = RankAgreement(None, wrappers, Reports(Guard()), Guard())
    assert alone.leads
    assert not alone.is_needed
    alone.check()
    alone.agree(3, {"kind": "freeze"})
    monkeypatch.setattr(wrappers, "processes", lambda: 2)
    with pytest.raises(CommandError, match="attached before init_process_group"):
        alone.check()


class Sharing(Talking):
    """A rank that hears of another whether it could do what was commanded."""

    def __init__(self, *others: bool | Exception) -> None:
        super().__init__(leader=True)
        self.others = list(others)
        self.shared: list[tuple[str, object]] = []

    def share(self, series: str, key: str, value: object, *_: object) -> list[object]:
        self.shared.append((key, value))
        other = self.others.pop(0)
        if isinstance(other, Exception):
            raise other
        return [value, other]


def together(sharing: Sharing) -> RankAgreement:
    ranks: Any = sharing
    return RankAgreement(ranks, Wrappers({}), Reports(Guard()), Guard())


def test_what_all_have_done_is_done() -> None:
    """The same command twice in a step is told apart."""
    sharing = Sharing(True, True)
    agreed = together(sharing)
    for _ in range(2):
        with agreed.together(COMMANDS[0], 3):
            pass
    (first, one), (second, other) = sharing.shared
    assert first != second
    assert (one, other) == (True, True)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (False, "rank 1 could not do it; nothing was done."),
        (RanksApart("rank 1 of 2 did not come to it in step 3"), "whether all ranks have done it"),
    ],
)
def test_what_another_rank_could_not_do_is_undone(other: bool | Exception, told: str) -> None:
    """It raises, so that whoever has done it puts it back."""
    agreed = together(Sharing(other))
    with pytest.raises(CommandError, match=told), agreed.together(COMMANDS[0], 3):
        pass


def test_what_fails_here_is_told_to_the_others() -> None:
    """And the error is that which it failed by."""
    sharing = Sharing(True)
    with pytest.raises(KeyError, match="mine"), together(sharing).together(COMMANDS[0], 3):
        raise KeyError("mine")
    assert [value for _, value in sharing.shared] == [False]


@pytest.mark.parametrize("where", ["before", "inside", "behind", "nowhere"])
def test_what_fails_around_it_is_told_once(where: str) -> None:
    """Before it began, for nobody would hear of it else; what fails behind it was done by all."""
    sharing = Sharing(True)
    agreed = together(sharing)

    def fail(here: str) -> None:
        if here == where:
            raise KeyError("mine")

    with contextlib.suppress(KeyError), agreed.answering(COMMANDS[0], 3):
        fail("before")
        with agreed.together(COMMANDS[0], 3):
            fail("inside")
        fail("behind")
    assert [value for _, value in sharing.shared] == [where in ("behind", "nowhere")]


def test_an_interrupt_waits_for_nobody() -> None:
    """The others find out that this rank does not come."""
    sharing = Sharing()
    with pytest.raises(KeyboardInterrupt), together(sharing).together(COMMANDS[0], 3):
        raise KeyboardInterrupt
    assert sharing.shared == []


def test_a_fault_in_asking_is_asked_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the same key, so that the others hear of it all the same."""
    monkeypatch.delenv("GRADGATE_STRICT")
    sharing = Sharing(MemoryError(), True)
    with together(sharing).together(COMMANDS[0], 3):
        pass
    assert sharing.shared[0] == sharing.shared[1]


def test_alone_nobody_is_asked() -> None:
    """In a job that is not distributed."""
    with RankAgreement(None, Wrappers({}), Reports(Guard()), Guard()).together(COMMANDS[0], 3):
        pass
