"""Every row of the matrix, bit for bit against runs without Gradgate.

The rows are data, in ``rows``; what is done with each is in ``harness``.
"""

from __future__ import annotations

import pytest

from .harness import (
    History,
    differences,
    hold_differences,
    own,
    sample_differences,
    total_differences,
    train_between_samples,
    train_by_hand,
    train_plainly,
    train_untouched,
    train_watched,
)
from .row import FIRST_AT, Row
from .rows import ROWS

pytestmark = pytest.mark.exhaustive(12)


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
    """The row trained with Gradgate, nothing commanded, and some steps explained."""
    return train_watched(row, row.questions)


@pytest.fixture(scope="module")
def between(row: Row) -> History:
    """The row trained with Gradgate, of which no step is sampled in turn."""
    return train_between_samples(row)


@pytest.fixture(scope="module")
def by_hand(row: Row, plain: History) -> History:
    """The row frozen and thawed by hand; or not at all, where that is refused."""
    return plain if row.refusal else train_by_hand(row)


@pytest.fixture(scope="module")
def steered(row: Row) -> History:
    """The row frozen and thawed by commands."""
    return train_watched(row, row.commands)


@pytest.fixture(scope="module")
def untouched(row: Row) -> object:
    """The hooks, attributes and flags of a job that nothing but its own script touched."""
    return train_untouched(row, FIRST_AT)


def test_watching_changes_nothing(plain: History, watched: History) -> None:
    """Attached, asked and not commanded, every bit is that of a run without Gradgate."""
    assert differences(watched.bits, plain.bits) == []


def test_samples_are_right(row: Row, plain: History, watched: History) -> None:
    """Every step's states and norms are those of the gradients that the optimizer applied."""
    assert {n for n, r in enumerate(plain.reference, 1) if r.skipped} == row.skipped
    assert sample_differences(watched.samples, watched.names, plain.reference) == []


def test_nothing_is_missed_between_samples(plain: History, between: History) -> None:
    """The total norm of every step is that of the gradients that were applied, and looking at it
    changes no bit."""
    assert differences(between.bits, plain.bits[: len(between.bits)]) == []
    assert total_differences(between.totals, plain.reference) == []


def test_freeze_and_thaw_equal_the_same_by_hand(
    row: Row, by_hand: History, steered: History
) -> None:
    """Every weight, buffer and optimizer state is bitwise that of a run frozen by hand, from
    before the freeze until after the thaw; where a freeze is refused, nothing changes."""
    if row.refusal:
        assert len(steered.refusals) == 2
        assert all(row.refusal in reason for reason in steered.refusals)
    else:
        assert steered.refusals == []
    assert differences(steered.bits, by_hand.bits) == []


def test_what_is_frozen_does_not_move_and_trains_again(row: Row, steered: History) -> None:
    """While frozen, for 20 steps, the weights and their optimizer state keep every bit, and are
    what is called frozen; before and after each moves."""
    assert steered.targeted
    assert hold_differences(row, steered) == []


def test_commands_are_verified_and_nothing_drifts(row: Row, steered: History) -> None:
    """The job says of the freeze and of the thaw that they hold, and never takes it back."""
    # What a command saved is reported later, in the state that was reported before.
    states = dict.fromkeys((kind, state) for kind, state, _ in steered.reports)
    kinds = row.commands.values() if row.refusal is None else ()
    expected = [(kind, state) for kind in kinds for state in ("applied", "verified")]
    told = [state for state in states if state[1] != "delivered"]
    assert told == expected, steered.reports
    assert not any(reason for _, _, reason in steered.reports)


def test_samples_are_right_around_a_freeze(by_hand: History, steered: History) -> None:
    """States and norms of every step are those of the run that was frozen by hand."""
    assert sample_differences(steered.samples, steered.names, by_hand.reference) == []


def test_detach_leaves_the_model_as_found(
    row: Row, watched: History, steered: History, untouched: object
) -> None:
    """Hooks, attributes and flags are those of a run that nothing ever touched."""
    assert watched.found == untouched
    assert steered.found == untouched


def test_detach_with_a_command_in_force_leaves_the_model_as_found(
    row: Row, untouched: object
) -> None:
    """Detached before the second command, requires_grad is again what it was."""
    first = {FIRST_AT: row.commands[FIRST_AT]}
    assert train_watched(row, first, steps=FIRST_AT + 1).found == untouched


def test_everything_frozen_holds_and_raises_nothing(row: Row) -> None:
    """With the whole model frozen the script goes on and moves no bit; thawed, all of it trains."""
    freeze_at, thaw_at, steps = 4, 8, 12
    commands = {freeze_at: "freeze", thaw_at: "thaw"}
    history = train_watched(row, commands, target="*", steps=steps)
    if row.refusal:
        assert len(history.refusals) == 2
        return
    weights = [own(bits, history.targeted) for bits in history.bits]
    held = weights[freeze_at : thaw_at + 1]
    assert differences(held, held[:1] * len(held)) == []
    trained = {name for name in history.targeted if weights[thaw_at][name] != weights[steps][name]}
    assert trained == history.targeted - row.untrained
