"""DDP models are frozen and thawed in mid-training, in two and three processes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import reducing
from tests.support.world import run_world


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What two ranks noted of every scenario."""
    names = [*reducing.SETTINGS, *reducing.OTHERS]
    return run_world(reducing, 2, tmp_path_factory.mktemp("two"), names)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What three ranks noted of the settings that differ in how gradients are reduced."""
    return run_world(reducing, 3, tmp_path_factory.mktemp("three"), THREE)


THREE = ["plain", "find_unused_parameters", "gradient_as_bucket_view", "static_graph", "no_sync"]


def check(notes: list[Any], setting: str) -> None:
    mine = notes[0][setting]
    assert mine["rebuilt"] == mine["anew"]
    weights = mine["rebuilt"]["weights"]
    assert len(set(weights)) == len(weights) - 1, "only with all frozen the weights stay"
    assert weights[2] == weights[3]
    for other in notes[1:]:
        assert other[setting]["rebuilt"]["weights"] == weights


@pytest.mark.parametrize("setting", reducing.SETTINGS)
def test_a_rebuilt_reducer_trains_as_a_new_wrapper_does(two: list[Any], setting: str) -> None:
    """Weights are bitwise equal between ranks, and to those of a DDP made anew by hand."""
    check(two, setting)


@pytest.mark.exhaustive(0)
@pytest.mark.parametrize("setting", THREE)
def test_three_ranks_stay_equal(three: list[Any], setting: str) -> None:
    """The same with three processes, where an average is not exact."""
    check(three, setting)


def test_without_a_rebuild_ranks_drift_and_ddp_raises(two: list[Any]) -> None:
    """The flips that the other tests make are harmful when the reducer is left as it was."""
    assert two[0]["without"]["weights"] != two[1]["without"]["weights"]
    assert "Expected to have finished reduction" in two[0]["without"]["error"]


def test_a_graph_that_waits_for_its_backward_is_still_reduced(two: list[Any]) -> None:
    """A rebuild between forward and backward leaves that backward to the old reducer."""
    assert two[0]["pending"] == two[1]["pending"]


def test_fifty_rebuilds_leave_one_reducer(two: list[Any]) -> None:
    """Old reducers, their hooks and the accumulators of frozen parameters are freed."""
    for notes in two:
        assert notes["lasting"]["reducers"] == 1
        assert notes["lasting"]["hooks"] == 0
        # One that stayed trainable shows that the mark is seen where the node lives on.
        assert notes["lasting"]["accumulators"] == [True, False]


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ("inside of fully_shard", "is a DTensor, and no fully_shard (FSDP2) inside of"),
        ("tensor parallel", "is a DTensor"),
        ("gates, tensor parallel", "in no DistributedDataParallel"),
        ("gates, FullyShardedDataParallel", "FullyShardedDataParallel"),
        ("gates, not wrapped", "'first.weight' (and 9 more) is in no DistributedDataParallel"),
        ("gates, averaged apart", "averages over 1 of 2 processes"),
        ("FullyShardedDataParallel", "FullyShardedDataParallel"),
        ("not wrapped", "'first.weight' (and 9 more) is in no DistributedDataParallel"),
    ],
)
def test_what_is_not_ddp_is_refused_by_name(two: list[Any], how: str, named: str) -> None:
    """Sharded models, and models that nothing known averages, are refused with the reason."""
    for notes in two:
        assert named in notes["sharding"][how]


def test_a_wrapper_is_found_from_the_model_inside(two: list[Any]) -> None:
    """A model that DDP wraps is not refused, whether the wrapper or its inside is asked about."""
    sharding = two[0]["sharding"]
    assert sharding["wrapped"] is None
    assert sharding["gates, wrapped"] is None
    assert sharding["fully_shard"] is None
    assert sharding["gates, fully_shard"] is None
    assert sharding["inside of a wrapper"] is None
    assert sharding["found"]


def test_figures_of_sharded_parameters_are_those_of_whole_ones(two: list[Any]) -> None:
    """Under FSDP2 and tensor parallelism, also where a rank has no element of one."""
    for kind, frozen in (("sharded", 2), ("split", 0)):
        rows = two[0]["whole"][kind]
        assert sum(state == "frozen" for state, _, _ in rows.values()) == frozen
        for name, (state, told, norm) in rows.items():
            assert state == ("frozen" if norm is None else "present"), name
            assert told == (None if norm is None else pytest.approx(norm, rel=1e-5)), name


def test_an_explanation_says_for_which_ranks_it_holds(two: list[Any]) -> None:
    """For all of what they reduce together; of anything else for the one that was traced."""
    told = two[0]["explained"]
    assert "All 2 ranks make this gradient together" in told["wrapped.module.right.weight"]
    assert "was seen on rank 0 of 2" in told["wrapped.module.right.weight"]
    assert "This holds for rank 0 of 2" in told["loose.weight"]


def test_a_step_that_a_scaler_skips_is_one_on_every_rank(two: list[Any]) -> None:
    """Though the gradient is not finite in the part of one rank alone."""
    assert [notes["overflowing"] for notes in two] == [{"steps": 3, "scale": 2.0**15}] * 2


def test_a_rank_that_has_run_out_of_data_is_not_waited_for(two: list[Any]) -> None:
    """Under join() it shadows the others' reductions, and comes to no gate."""
    for notes in two:
        assert all("join()" in problem for problem in notes["uneven"]["problems"])
    assert two[0]["uneven"]["weights"] == two[1]["uneven"]["weights"]


def test_a_piece_on_another_rank_is_not_called_absent(two: list[Any]) -> None:
    """Under FSDP1 each parameter is measured where a piece of it is, and unmeasured elsewhere."""
    for states in zip(*(rank["pieces"]["original"] for rank in two), strict=True):
        assert set(states) <= {"present", "unmeasured"}
        assert "present" in states
    assert [rank["pieces"]["flat"] for rank in two] == [["present"]] * 2
