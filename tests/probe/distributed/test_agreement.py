"""The protocol by which all ranks apply a batch at one step, without any other rank."""

from __future__ import annotations

import threading
import time

import pytest

from gradgate.probe.distributed.agreement import Agreement


@pytest.fixture
def agreement() -> Agreement:
    """One whose patience is short enough to be waited for."""
    return Agreement(patience=0.2)


def test_a_batch_is_due_at_its_step_and_once(agreement: Agreement) -> None:
    """Not before, in the order decided, and late ones too."""
    for number in (1, 2):
        agreement.promise()
        agreement.decide({"number": number}, 3)
    agreement.promise()
    agreement.decide({"number": 3}, 5)
    assert agreement.receive(1) == []
    assert agreement.receive(2) == []
    assert [batch["number"] for batch in agreement.receive(3)] == [1, 2]
    assert agreement.receive(4) == []
    assert [batch["number"] for batch in agreement.receive(7)] == [3]
    assert agreement.decided == 3


def test_a_promise_is_the_boundary_that_comes_next(agreement: Agreement) -> None:
    """It stands until the decision, however far the job is by then."""
    assert agreement.promise() == 1
    assert agreement.promise() == 1
    agreement.decide({}, 1)
    agreement.receive(1)
    assert agreement.promise() == 2
    agreement.decide({}, 9)
    agreement.receive(4)
    assert agreement.promise() == 5


def test_a_promised_boundary_is_not_passed_before_the_decision(agreement: Agreement) -> None:
    """The training thread waits there, and takes the batch if it is due."""
    taken: list[int] = []
    assert agreement.promise() == 1
    training = threading.Thread(target=lambda: taken.append(len(agreement.receive(1))))
    training.start()
    training.join(0.05)
    assert training.is_alive(), "it waits"
    agreement.decide({}, 1)
    training.join(5.0)
    assert taken == [1]


def test_a_boundary_before_the_promised_one_is_not_held_up(agreement: Agreement) -> None:
    """Only the promised boundary waits."""
    agreement.receive(1)
    assert agreement.promise() == 2
    began = time.monotonic()
    assert agreement.receive(1) == []
    assert time.monotonic() - began < 0.2


def test_a_decision_that_never_comes_is_waited_for_with_patience(agreement: Agreement) -> None:
    """Then the job goes on."""
    agreement.promise()
    began = time.monotonic()
    assert agreement.receive(1) == []
    assert 0.2 <= time.monotonic() - began < 10.0


def test_a_promise_stands_however_far_the_job_is(agreement: Agreement) -> None:
    """A job that has waited long enough goes on, and who votes again has promised the same."""
    assert agreement.promise() == 1
    agreement.receive(1)
    assert agreement.promise() == 1


def test_a_batch_decided_against_lets_the_boundary_go(agreement: Agreement) -> None:
    """It is called off once, with the reason, and counts as decided."""
    agreement.promise()
    agreement.decide_against({"number": 1}, "rank 1 did not answer.")
    began = time.monotonic()
    assert agreement.receive(1) == []
    assert time.monotonic() - began < 0.2
    assert agreement.take_called_off() == [({"number": 1}, "rank 1 did not answer.")]
    assert agreement.take_called_off() == []
    assert agreement.decided == 1


def test_proposals_come_in_order_and_are_taken_one_by_one(agreement: Agreement) -> None:
    """One that is given up leaves the next, and was never voted on."""
    agreement.publish({"number": 1})
    agreement.publish({"number": 2})
    first = agreement.proposal()
    assert first is not None
    assert first[1] == {"number": 1}
    assert first[0] - time.monotonic() == pytest.approx(0.2, abs=0.15)
    agreement.call_off("nobody is there.")
    second = agreement.proposal()
    assert second is not None
    assert second[1] == {"number": 2}
    agreement.take_proposal()
    assert agreement.proposal() is None
    assert agreement.take_called_off() == [({"number": 1}, "nobody is there.")]
    assert agreement.decided == 0


def test_a_batch_is_copied_when_it_is_published(agreement: Agreement) -> None:
    """What the caller does with its own afterwards changes nothing."""
    batch = {"number": 1}
    agreement.publish(batch)
    batch["number"] = 2
    proposal = agreement.proposal()
    assert proposal is not None
    assert proposal[1] == {"number": 1}


def test_the_end_lets_everything_go(agreement: Agreement) -> None:
    """What waits is called off, what comes later too, and no boundary waits."""
    agreement.publish({"number": 1})
    agreement.promise()
    taken: list[int] = []
    training = threading.Thread(target=lambda: taken.append(len(agreement.receive(1))))
    training.start()
    agreement.end("this run has ended.")
    training.join(5.0)
    assert taken == [0]
    agreement.publish({"number": 2})
    assert agreement.take_called_off() == [
        ({"number": 1}, "this run has ended."),
        ({"number": 2}, "this run has ended."),
    ]
    assert agreement.proposal() is None
