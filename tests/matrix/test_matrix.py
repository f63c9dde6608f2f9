"""Every row of the matrix, bit for bit against runs without Gradgate.

The rows are data, in ``rows``; what is done with each is in ``harness``.
"""

from __future__ import annotations

import re

import pytest

from .harness import (
    FREEZE_AT,
    STEPS,
    THAW_AT,
    Bits,
    History,
    differences,
    sample_differences,
    train_by_hand,
    train_plainly,
    train_untouched,
    train_watched,
)
from .row import Row
from .rows import ROWS


@pytest.fixture(scope="module", params=[row.as_parameter() for row in ROWS])
def row(request: pytest.FixtureRequest) -> Row:
    """Each row in turn, with all of its tests before the next."""
    chosen: Row = request.param
    return chosen


@pytest.fixture(scope="module")
def plain(row: Row) -> History:
    """The row trained without Gradgate."""
    return train_plainly(row)


@pytest.fixture(scope="module")
def watched(row: Row) -> History:
    """The row trained with Gradgate and nothing commanded."""
    return train_watched(row)


@pytest.fixture(scope="module")
def by_hand(row: Row, plain: History) -> History:
    """The row frozen and thawed by hand; or not at all, where that is refused."""
    return plain if row.refusal else train_by_hand(row)


@pytest.fixture(scope="module")
def steered(row: Row) -> History:
    """The row frozen and thawed by commands."""
    return train_watched(row, {FREEZE_AT: "freeze", THAW_AT: "thaw"})


def test_watching_changes_nothing(plain: History, watched: History) -> None:
    """Attached and nothing commanded, every bit is that of a run without Gradgate."""
    assert differences(watched.bits, plain.bits) == []


def test_samples_are_right(row: Row, plain: History, watched: History) -> None:
    """Every step's states and norms are those of the gradients that the optimizer applied."""
    assert {n for n, r in enumerate(plain.reference, 1) if r.skipped} == row.skipped
    assert sample_differences(watched.samples, watched.names, plain.reference) == []


def test_freeze_and_thaw_equal_the_same_by_hand(
    row: Row, by_hand: History, steered: History
) -> None:
    """Every weight, buffer and optimizer state is bitwise that of a run frozen by hand, from
    before the freeze until after the thaw; where a freeze is refused, nothing changes."""
    if row.refusal:
        assert len(steered.refusals) == 2
        assert all(re.search(row.refusal, reason) for reason in steered.refusals)
    else:
        assert steered.refusals == []
    assert differences(steered.bits, by_hand.bits) == []


def test_what_is_frozen_does_not_move_and_trains_again(row: Row, steered: History) -> None:
    """For 20 steps the frozen weights and their optimizer state keep every bit, are called frozen,
    and nothing else is; after the thaw each moves."""
    if row.refusal:
        assert not any(steered.frozen.values())
        return
    names = steered.targeted
    assert names
    held = [_of(bits, names) for bits in steered.bits[FREEZE_AT : THAW_AT + 1]]
    assert len(held) == 21
    assert differences(held, held[:1] * len(held)) == []
    assert [steered.frozen[step] for step in range(FREEZE_AT + 1, THAW_AT)] == [names] * 19
    assert not any(steered.frozen[step] for step in range(THAW_AT + 1, STEPS + 1))
    thawed, last = steered.bits[THAW_AT], steered.bits[STEPS]
    assert [name for name in names if thawed[name] == last[name]] == []


def test_samples_are_right_around_a_freeze(by_hand: History, steered: History) -> None:
    """States and norms of every step are those of the run that was frozen by hand."""
    assert sample_differences(steered.samples, steered.names, by_hand.reference) == []


def test_detach_leaves_the_model_as_found(row: Row, watched: History, steered: History) -> None:
    """Hooks, attributes and flags are those of a run that nothing ever touched."""
    untouched = train_untouched(row, STEPS)
    assert watched.found == untouched
    assert steered.found == untouched


def test_detach_while_frozen_leaves_the_model_as_found(row: Row) -> None:
    """Detached with the freeze in force, requires_grad is again what it was."""
    steps = FREEZE_AT + 1
    frozen = train_watched(row, {FREEZE_AT: "freeze"}, steps=steps)
    assert frozen.found == train_untouched(row, steps)


def _of(bits: Bits, names: set[str]) -> Bits:
    """The weights and the optimizer state of some parameters."""
    return {
        key: value
        for key, value in bits.items()
        if key in names or any(key.startswith("state") and f" of {n}:" in key for n in names)
    }
