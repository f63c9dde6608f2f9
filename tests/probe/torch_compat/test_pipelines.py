"""Stages of pipelines are found, and each is watched and steered as a run of its own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import staging
from tests.support.world import run_world


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What two ranks noted of every scenario."""
    return run_world(staging, 2, tmp_path_factory.mktemp("two"), staging.SCENARIOS)


def test_a_gate_in_a_stage_is_a_cut_by_hand(two: list[Any]) -> None:
    """On both ranks every weight and optimizer state is that of stages that are cut by hand."""
    for notes in two:
        assert len(notes["gated"]) == len(staging.SCHEDULES) * len(staging.GATES)
        assert [how for how, alike in notes["gated"].items() if not alike] == []


def test_each_stage_is_a_run_of_its_own_in_one_group(two: list[Any]) -> None:
    """By default; it has the number of its stage in its name, and what is given stays."""
    for rank, notes in enumerate(two):
        for how in ("stage", "around the stage's module", "wrapped by the stage"):
            assert notes["named"][how] == [f"staging, stage {rank}", "staging", 1], how
        assert notes["named"]["two stages"] == [
            f"staging, stages {rank} and {rank + 2}",
            "staging",
            1,
        ]
        assert notes["named"]["named"] == ["mine", "ours", 1]
        assert notes["named"]["alone"] == [f"staging, rank {rank}", "staging", 1]


def test_ranks_that_are_no_stages_are_one_run(two: list[Any]) -> None:
    """So are stages of which the script says that the processes train them together."""
    for how in ("not alone", "no stage"):
        assert [notes["named"][how] for notes in two] == [["staging", None, 2]] * 2


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("late", ["in a stage of a pipeline that was made after the run was attached"] * 2),
        ("shared", ["the model is in DistributedDataParallel, or split among ranks, as well"] * 2),
        ("split", ["makes each backward in two parts"]),
    ],
)
def test_what_cannot_be_done_to_a_stage_is_refused_by_name(
    two: list[Any], how: str, said: list[str]
) -> None:
    """A freeze, and then a gate: of one whose backward is split a freeze is carried out."""
    for notes in two:
        refusals = notes["refused"][how]
        assert len(refusals) == len(said)
        assert all(words in refusal for words, refusal in zip(said, refusals, strict=True))


def test_a_stage_is_told_that_zeros_came_from_the_next_one(two: list[Any]) -> None:
    """Where a gate of the last stage lets nothing pass, the first one's backward gets zeros."""
    states, told = two[0]["explained"]["states"], two[0]["explained"]["told"]
    assert set(states.values()) == {"zero"}
    assert set(told) == set(states)
    for cause, detail, advice in told.values():
        assert cause == "zero_gradient"
        assert "began with zeros" in detail
        assert "that backward() was given" in advice
    assert two[1]["explained"]["states"]["first.weight"] == "gated"
