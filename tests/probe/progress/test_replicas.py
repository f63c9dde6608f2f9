"""Ranks whose weights ought to be alike, and ranks whose weights need not be."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import replicating
from tests.support.world import run_world


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What rank 0 of two told of each scenario."""
    folder = tmp_path_factory.mktemp("replicas")
    leader, other = run_world(replicating, 2, folder, replicating.SCENARIOS)
    assert all(alerts == [] for alerts in other.values()), "one rank speaks for all"
    return dict(leader)


@pytest.mark.parametrize(
    ("scenario", "since", "says"),
    [
        ("without_ddp", 1, "`0.weight` was alike on all ranks after step 0"),
        ("seeds_of_their_own", 2, "nothing that trains is alike on all of them"),
        ("far_ahead", 1, "`weight` was alike on all ranks after step 0"),
        ("around_ddp", 8, "though DistributedDataParallel holds it"),
    ],
)
def test_ranks_that_drift_are_told(
    told: dict[str, Any], scenario: str, since: int, says: str
) -> None:
    """With the first parameter, and the step that was compared first."""
    ((step, cause, detail),) = told[scenario]
    assert (step, cause) == (since, "replicas_differ")
    assert says in detail
    assert "on rank 1 from rank 0" in detail


@pytest.mark.parametrize("scenario", ["with_ddp", "reduced_by_hand", "in_parts"])
def test_ranks_that_train_together_are_well(told: dict[str, Any], scenario: str) -> None:
    """Whatever their own statistics are, and also where each has its part of a weight."""
    assert told[scenario] == []


def test_ranks_with_models_of_their_own_are_told_how_to_be_runs_of_their_own(
    told: dict[str, Any],
) -> None:
    """Once, since of them rank 0 alone is shown."""
    (said,) = told["other_models"]
    assert "rank 1 has a model of other parameters than rank 0" in said
    assert "attach with alone=True" in said
