"""The parts of a run, joined."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn
from torch.optim import SGD

from gradgate import probe
from gradgate.probe.link.uplink import Uplink
from gradgate.probe.model.commands import KINDS
from gradgate.probe.session.run import job_of
from tests.support.steered import chain, reports_of, steps
from tests.support.zoo import loss_of

MESSAGE = {"type": "command", "by": "rest", "target": "head", "site": None}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_command_has_a_handler(kind: str) -> None:
    """It is taken up at a boundary: none is left delivered, and none is a fault."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.gate("param:stem.bias")
        reports = reports_of(run)
        site = "param:head.bias" if kind == "gate" else None
        gate = 1 if kind == "ungate" else None
        job_of(run).requests.receive({**MESSAGE, "id": 3, "kind": kind, "site": site, "gate": gate})
        steps(model, optimizer, 1, 3)
        assert "applied" in [report.state.value for report in reports if report.command.id == 3]
        assert job_of(run).guard.faults == 0


def test_a_backward_that_is_over_ends_the_step_of_optimizers_inside_it() -> None:
    """The timer of the backward tells the boundaries, which are made after it."""
    model, _ = chain(SGD)
    optimizers = {parameter: SGD([parameter], lr=0.1) for parameter in model.parameters()}
    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(lambda p: optimizers[p].step())
    with probe.attach(model, list(optimizers.values()), server=False, every=1) as run:
        run.freeze("head")
        for number in (1, 2, 3):
            loss_of(model, number).backward()
        assert job_of(run).state.step == 3


def test_a_model_that_grows_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The measurement tells the uplink, which is made after it."""
    sent: list[Any] = []
    monkeypatch.setattr(Uplink, "send_table", lambda _, rows: sent.append(len(rows)))
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1):
        steps(model, optimizer, 1, 1)
        model.late = nn.Linear(2, 2)
        steps(model, optimizer, 2, 2)
    assert sent == [10]


def test_what_the_server_asks_for_arrives() -> None:
    """The uplink hands it to the requests, which are made after it."""
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        job_of(run).uplink.receive({**MESSAGE, "id": 1, "kind": "freeze", "mode": "grad"})
        assert [report.state.value for report in reports] == ["delivered"]
