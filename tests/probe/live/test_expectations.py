"""What ought to train, sample by sample."""

from __future__ import annotations

import pytest
from torch import nn

from gradgate.probe.base.errors import TargetError
from gradgate.probe.base.guard import Guard
from gradgate.probe.base.states import State
from gradgate.probe.live.expectations import PATIENCE, Expectations, Missed
from gradgate.probe.model.table import ParameterTable
from tests.support.samples import sample

GOOD, BAD = State.PRESENT, State.ABSENT


def expecting(*patterns: str, guard: Guard | None = None) -> Expectations:
    """Expect something of two layers: weight and bias of 0, and of 1."""
    table = ParameterTable({"": nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))})
    return Expectations(patterns, table, guard or Guard())


def receive(expectations: Expectations, step: int, *states: State, frozen: int = -1) -> bool:
    return expectations.receive(sample(step, *states), {frozen}, lambda _: False)


def test_one_that_misses_for_long_enough_breaks_its_expectation_once() -> None:
    """Only what a pattern names, and only at the sample that makes it so."""
    expectations = expecting("0")
    new = [receive(expectations, step, BAD, GOOD, BAD, BAD) for step in range(5, 5 + PATIENCE + 1)]
    assert new == [False] * (PATIENCE - 1) + [True, False]
    assert expectations.broken == [0]
    assert expectations.missed == {0: Missed(PATIENCE + 1, 5, "absent")}


def test_a_gradient_that_comes_mends_it() -> None:
    """From the next sample on."""
    expectations = expecting("*")
    for step in range(PATIENCE):
        receive(expectations, step, BAD, GOOD, GOOD, GOOD)
    receive(expectations, 9, GOOD, GOOD, GOOD, GOOD)
    assert expectations.missed == {}


def test_what_a_command_froze_breaks_none() -> None:
    """What the script froze does."""
    expectations = expecting("*")
    receive(expectations, 1, State.FROZEN, State.FROZEN, State.GATED, GOOD, frozen=0)
    assert expectations.missed == {1: Missed(1, 1, "frozen")}


def test_what_no_optimizer_applies_breaks_it() -> None:
    """A gradient that is missing says more."""
    expectations = expecting("1")
    expectations.receive(sample(1, GOOD, GOOD, BAD, GOOD), (), lambda index: index >= 2)
    assert expectations.missed == {
        2: Missed(1, 1, "absent"),
        3: Missed(1, 1, "not in optimizer"),
    }


def test_a_skipped_step_says_nothing() -> None:
    """What was missed before is missed still."""
    expectations = expecting("0.weight")
    receive(expectations, 1, BAD, GOOD, GOOD, GOOD)
    assert not expectations.receive(sample(2, GOOD, skipped=True), (), lambda _: False)
    assert expectations.missed == {0: Missed(1, 1, "absent")}


def test_one_that_cannot_be_judged_takes_no_other_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state that nobody knows is a fault, and the parameters behind it are judged."""
    monkeypatch.delenv("GRADGATE_STRICT")
    guard = Guard()
    expectations = expecting("*", guard=guard)
    states = sample(1, BAD, GOOD, GOOD, BAD)
    states.states[1] = 99
    expectations.receive(states, (), lambda _: False)
    assert sorted(expectations.missed) == [0, 3]
    assert guard.faults == 1


def test_what_names_nothing_is_refused() -> None:
    """When it is declared."""
    with pytest.raises(TargetError, match="matches no parameter"):
        expecting("encoder")


def test_a_parameter_that_left_is_expected_no_more() -> None:
    """Neither by its index nor by a pattern that named nothing else."""
    model = nn.ModuleDict({"a": nn.Linear(2, 2, bias=False), "b": nn.Linear(2, 2, bias=False)})
    table = ParameterTable({"": model})
    expectations = Expectations(["a", "*"], table, Guard())
    del model["a"]
    table.update({"": model}, 1)
    receive(expectations, 1, BAD, BAD)
    assert sorted(expectations.missed) == [1]


def test_what_comes_and_goes_is_matched_anew() -> None:
    """A layer that joins is expected to train with the others, and one that left is not."""
    model = nn.Sequential(nn.Linear(2, 2))
    table = ParameterTable({"": model})
    expectations = Expectations(["*"], table, Guard())
    assert expectations.expected() == [0, 1]
    model.append(nn.Linear(2, 2))
    table.update({"": model}, 3)
    assert expectations.expected() == [0, 1, 2, 3]
    assert expectations.expected(3) == [0, 1, 2]
    del model[0]
    table.update({"": model}, 4)
    assert expectations.expected() == [2, 3]


def test_what_was_not_asked_for_a_gradient_breaks_none() -> None:
    """Its optimizer made no step; those in which it makes one count as if they were in a row."""
    expectations = expecting("0")
    for step in range(PATIENCE):
        waits = sample(step, BAD, GOOD, GOOD, GOOD, waiting=[0])
        expectations.receive(waits, (), lambda _: False)
    assert expectations.missed == {}
    receive(expectations, 8, BAD, GOOD, GOOD, GOOD)
    expectations.receive(sample(9, GOOD, GOOD, GOOD, GOOD, waiting=[0]), (), lambda _: False)
    receive(expectations, 10, BAD, GOOD, GOOD, GOOD)
    assert expectations.missed == {0: Missed(2, 8, "absent")}


def test_a_loss_at_its_least_breaks_none() -> None:
    """A batch in which every margin is met gives zeros to all; where one gets more it is broken."""
    zero = State.ZERO
    expectations = expecting("0")
    for states in ((GOOD,) * 4, *[(zero,) * 4] * PATIENCE):
        receive(expectations, 1, *states)
    assert expectations.missed == {}
    for _ in range(PATIENCE):
        receive(expectations, 2, zero, GOOD, GOOD, GOOD)
    assert expectations.broken == [0]

    expectations = expecting("0")
    for _ in range(PATIENCE):
        receive(expectations, 1, zero, zero, zero, zero)
    assert expectations.broken == [0, 1], "there never was a gradient"
