"""What is brought in line after a change of the model, its freezes or its gates."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn
from torch.optim import SGD

from gradgate import probe
from gradgate.probe.link.uplink import Uplink
from gradgate.probe.session.run import job_of
from tests.support.steered import chain, steps


def test_the_model_is_followed_between_two_steps_only() -> None:
    """In the middle of a step the table stays; a detached run follows nothing."""
    model, optimizer = chain(SGD)
    run = probe.attach(model, optimizer, server=False, every=1000)
    job, before = job_of(run), len(run.parameters())
    state = job.state
    model.late = nn.Linear(2, 2)
    state.between = False
    job.alignment.follow_model()
    assert len(job.table) == before
    state.between = True
    assert len(run.parameters()) == before + 2
    run.detach()
    model.later = nn.Linear(2, 2)
    assert len(run.parameters()) == before + 2


def test_every_change_of_freezes_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A freeze, a thaw, and one that the script undid by itself."""
    sent: list[int] = []

    def send(_: Uplink, frozen: list[dict[str, Any]], trainable: int) -> None:
        sent.append(sum(len(item["parameters"]) for item in frozen))
        assert trainable == 8 - sent[-1]

    monkeypatch.setattr(Uplink, "send_frozen", send)
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1, script_wins=True) as run:
        run.freeze("head")
        run.freeze("stem")
        run.thaw("stem")
        steps(model, optimizer, 1, 1)
        assert sent == [2, 4, 2]
        model.head.requires_grad_(True)
        steps(model, optimizer, 2, 2)
        assert sent == [2, 4, 2, 0]


def test_gates_are_sent_when_they_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and new gradients are told from old ones for as long as there is a gate."""
    sent: list[list[Any]] = []
    monkeypatch.setattr(Uplink, "send_gates", lambda _, gates: sent.append(gates))
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1000) as run:
        run.gate("output:body")
        run.gate("param:stem.bias")
        run.ungate(1)
        assert [[gate["id"] for gate in gates] for gates in sent] == [[1], [1, 2], [2]]
        assert sent[1][1]["site"] == "param:stem.bias"


def test_steps_go_on_from_where_a_checkpoint_was() -> None:
    """For the run, for the gates and for who is told of them."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        job = job_of(run)
        job.alignment.begin_at(41)
        assert job.uplink.heartbeat()["step"] == 41
        assert job.gates.step.number == 42
        steps(model, optimizer, 1, 1)
        assert job.state.step == 42
        assert run.state_dict()["step"] == 42
