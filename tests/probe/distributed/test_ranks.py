"""The ranks of a distributed job do the same at the same step, and nobody waits for ever."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import agreeing
from tests.support.world import run_world


@pytest.fixture(scope="module", params=[pytest.param(2, marks=pytest.mark.exhaustive(0)), 3])
def notes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What two and what three ranks noted of every scenario."""
    folder = tmp_path_factory.mktemp("ranks")
    return run_world(agreeing, request.param, folder, agreeing.SCENARIOS)


def of(notes: list[Any], scenario: str) -> list[Any]:
    return [each[scenario] for each in notes]


def test_all_ranks_take_a_batch_at_the_same_step(notes: list[Any]) -> None:
    """With delays on either side every batch is taken once, in order, at one step."""
    taken = of(notes, "lockstep")
    assert [number for _, number in taken[0]] == [5, 20, 21, 50, -50, 90]
    assert all(other == taken[0] for other in taken)


def test_ranks_that_are_far_ahead_take_it_at_the_same_step(notes: list[Any]) -> None:
    """A host that has run ahead of the leader is waited for, not left behind."""
    taken = of(notes, "running_ahead")
    assert len(taken[0]) == 1
    assert taken[0][0] > 20
    assert all(other == taken[0] for other in taken)


def test_a_rank_in_a_collective_holds_nobody_up(notes: list[Any]) -> None:
    """The promise comes from a thread, so that ranks that wait for each other do not deadlock."""
    taken = of(notes, "blocked")
    assert taken[0][0] in (3, 4)
    assert all(other == taken[0] for other in taken)


def test_a_rank_that_does_not_answer_calls_the_batch_off(notes: list[Any]) -> None:
    """After the patience all go on without it, the leader can say who, and the next is taken."""
    mute = of(notes, "mute")
    assert [rank["taken"] for rank in mute] == [[2]] * len(notes)
    assert [batch["number"] for batch, _ in mute[0]["off"]] == [1]
    assert "rank 1" in mute[0]["off"][0][1]
    assert all(rank["longest"] < 1.5 for rank in mute), "patience is half a second"


def test_a_rank_that_detaches_alone_leaves_no_other_waiting_at_a_gate(notes: list[Any]) -> None:
    """The gate opens on all others and names it; after three times nobody waits any more, and the
    ranks' weights stay alike."""
    left = of(notes, "left_at_a_gate")
    last = len(notes) - 1
    for each in left[:-1]:
        assert [closed for [closed] in each["closed"]] == [True] * 2 + [False] * 6
        (problem,) = each["problems"]
        assert f"rank {last} of {len(notes)} did not come to it in step 5" in problem
        assert "nobody waits for that any more after 3 times" in problem
        assert each["took"] < 10
        assert each["weights"] == left[last]["weights"]


def test_a_rank_does_not_detach_alone_from_a_gate_that_all_apply(notes: list[Any]) -> None:
    """It goes on with the gate on a parameter, so that the weights stay alike, until all detach."""
    left = of(notes, "left_with_a_gate")
    for each in left:
        assert each["closed"][:4] == [[False], [True], [False], [True]]
        assert each["closed"][4:] == [[], []]
        assert each["weights"] == left[0]["weights"]


def test_a_rank_without_a_run_is_named(notes: list[Any]) -> None:
    """Batches and calls are refused naming the rank that did not attach; no boundary waits."""
    last = len(notes) - 1
    leader = notes[0]["missing"]
    assert [batch for batch, _ in leader["off"]] == [{"number": 1}]
    assert f"rank {last} of {len(notes)} did not call attach" in leader["off"][0][1]
    assert leader["longest"] < 0.3
    assert f"rank {last} of {len(notes)} did not make the call" in leader["call"]


def test_ranks_that_count_their_steps_otherwise_apply_nothing(notes: list[Any]) -> None:
    """One that attached late would apply a batch after another of the job's steps."""
    for each in of(notes, "attached_late"):
        assert each["taken"] == []
        ((batch, reason),) = each["off"]
        assert batch == {"number": 1}
        assert "the ranks do not count their steps alike" in reason


def test_the_same_call_on_all_ranks_is_agreed_on(notes: list[Any]) -> None:
    """Calls made everywhere go through, also twice in a step and when one comes late."""
    for rank in of(notes, "calls"):
        assert rank["same"] is None
        assert rank["again"] is None
        assert rank["late"] is None


def test_a_call_on_one_rank_only_is_refused_everywhere(notes: list[Any]) -> None:
    """The rank that called is told who did not, those who call later that it was too late."""
    leader, *others = of(notes, "calls")
    assert "did not make the call within 0.5 seconds" in leader["alone"]
    assert all("rank" in other["after all"] for other in others)


def test_different_calls_are_refused_at_once(notes: list[Any]) -> None:
    """Each is told what another rank called with instead, and later calls go through again."""
    for number, rank in enumerate(of(notes, "calls")):
        assert (
            f"called with {{'kind': 'freeze', 'target': 'layer{int(number == 0)}'}}"
            in (rank["other"])
        )
        assert rank["together again"] is None


def test_ranks_that_were_started_anew_keep_apart_from_those_before(notes: list[Any]) -> None:
    """Under torchrun the store outlives them, with what a rank had said in it."""
    assert of(notes, "restarted") == [None] * len(notes)


def test_the_leader_reads_what_all_have_posted(notes: list[Any]) -> None:
    """Nothing before the last rank has posted, then everything by rank."""
    leader = notes[0]["outcomes"]
    assert leader["first"] is None
    assert leader["incomplete"] is None
    assert leader["found"] == {str(rank): {"rank": rank} for rank in range(len(notes))}


def test_two_runs_keep_apart(notes: list[Any]) -> None:
    """What one run publishes, the other does not receive."""
    for taken in of(notes, "two_runs"):
        assert taken == [[{"run": 0}], [{"run": 1}]]


def test_when_the_leader_leaves_nobody_asks_its_store(notes: list[Any]) -> None:
    """Its process may end then; torch prints a long trace where a store's host is gone."""
    for rank in of(notes, "parting"):
        assert not rank["talking"]
        assert rank["problem"] is None
        assert "has ended its run" in rank["call"]


def test_a_destroyed_process_group_neither_raises_nor_waits(notes: list[Any]) -> None:
    """Boundaries go on, a call is refused with the reason, and a batch is called off."""
    for number, rank in enumerate(of(notes, "destroyed")):
        assert rank["taken"] == []
        assert "the process group was destroyed" in rank["call"]
        assert [batch for batch, _ in rank["off"]] == ([{"number": 1}] if number == 0 else [])
        assert rank["took"] < 1.0
