"""The rows that train in several processes, held against runs without Gradgate on each rank."""

from __future__ import annotations

import pytest

from .harness import differences, hold_differences, sample_differences
from .ranks import PATIENCE, WORLDS, Outcome, train_in_ranks
from .row import STEPS, Row
from .rows.distributed import ROWS

pytestmark = [pytest.mark.timeout(PATIENCE + 60), pytest.mark.exhaustive(3)]


@pytest.fixture(scope="module")
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[int, dict[str, list[Outcome]]]:
    """Every row that is tested, trained by real processes that reduce over gloo."""
    tests = [item for item in request.session.items if item.path == request.path]
    cases = [test.callspec.params for test in tests]
    asked = {(case["outcomes"], case["row"].name) for case in cases}
    wanted = {w: [n for n, row in enumerate(ROWS) if (w, row.name) in asked] for w in WORLDS}
    trained = {world: numbers for world, numbers in wanted.items() if numbers}
    return train_in_ranks(tmp_path_factory.mktemp("ranks"), trained)


@pytest.fixture(params=WORLDS, ids=lambda world: f"{world} ranks")
def outcomes(
    request: pytest.FixtureRequest, trained: dict[int, dict[str, list[Outcome]]]
) -> dict[str, list[Outcome]]:
    """The outcomes in each number of processes."""
    return trained[request.param]


@pytest.fixture(params=[row.as_parameter() for row in ROWS])
def row(request: pytest.FixtureRequest) -> Row:
    """Each row in turn."""
    chosen: Row = request.param
    return chosen


def test_watching_changes_nothing(outcomes: dict[str, list[Outcome]], row: Row) -> None:
    """Attached on every rank and nothing commanded, every bit is that of a run without Gradgate."""
    for rank in outcomes[row.name]:
        assert differences(rank.watched.bits, rank.plain.bits) == []


def test_samples_are_right(outcomes: dict[str, list[Outcome]], row: Row) -> None:
    """States and norms are those of the reduced gradients, as the optimizer applied them."""
    for rank in outcomes[row.name]:
        for history, truth in ((rank.watched, rank.plain), (rank.steered, rank.by_hand)):
            assert sample_differences(history.samples, history.names, truth.reference) == []


def test_freeze_and_thaw_equal_the_same_by_hand(
    outcomes: dict[str, list[Outcome]], row: Row
) -> None:
    """On every rank each bit is that of a run that was frozen by hand and wrapped anew; where
    that is refused, the ranks train on as if not asked."""
    for rank in outcomes[row.name]:
        assert differences(rank.steered.bits, rank.by_hand.bits) == []
        assert len(rank.steered.refusals) == (2 if row.refusal else 0)
        assert all((row.refusal or "") in reason for reason in rank.steered.refusals)


def test_what_is_frozen_does_not_move_and_trains_again(
    outcomes: dict[str, list[Outcome]], row: Row
) -> None:
    """While frozen, for 20 steps, weights and optimizer state keep every bit on every rank, and
    are what is called frozen; before and after each moves."""
    for rank in outcomes[row.name]:
        assert rank.steered.targeted
        assert hold_differences(row, rank.steered) == []


def test_all_ranks_have_the_same_weights(outcomes: dict[str, list[Outcome]], row: Row) -> None:
    """Weights and optimizer state never drift apart; a sharded model's ranks have a part each."""
    first, *others = (rank.steered for rank in outcomes[row.name])
    if row.sharded:
        assert first.bits[STEPS] != others[0].bits[STEPS]
        return
    for other in others:
        assert differences(other.bits, first.bits) == []


def test_detach_leaves_the_model_as_found(outcomes: dict[str, list[Outcome]], row: Row) -> None:
    """Hooks, attributes and flags are those of a run that nothing ever touched."""
    for rank in outcomes[row.name]:
        assert rank.watched.found == rank.untouched
        assert rank.steered.found == rank.untouched
