"""What the probe cannot see is told, with its reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gradgate import probe
from gradgate.probe.base.states import State
from gradgate.probe.live.alerts import Alert
from gradgate.probe.live.unmeasured import Unmeasured
from gradgate.probe.measure import norms, statistics
from gradgate.probe.measure.latest import LatestSample
from gradgate.probe.measure.statistics import Statistic
from gradgate.probe.model.sample import GRAD_NORM, Sample
from gradgate.probe.model.table import ParameterTable


def steps(model: nn.Module, optimizer: torch.optim.Optimizer, count: int) -> None:
    for _ in range(count):
        model(torch.ones(2, 3)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()


def notes_of(model: nn.Module, optimizer: torch.optim.Optimizer, count: int = 2) -> list[Alert]:
    """What is told of a run of so many steps."""
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steps(model, optimizer, count)
        assert run.alerts() == []
        return [note for note in run.notes() if note.cause == "unmeasured"]


class Partial(nn.Module):
    """A layer that trains beside what is given."""

    def __init__(self, **others: Any) -> None:
        super().__init__()
        self.used = nn.Linear(3, 3)
        for name, other in others.items():
            setattr(self, name, other)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Use the layer alone."""
        result: torch.Tensor = self.used(x)
        return result


@pytest.mark.parametrize(
    ("other", "name", "reason"),
    [
        (nn.LazyLinear(2), "other.weight", "has no shape yet"),
        (nn.Parameter(torch.empty(2, device="meta")), "other", "on the meta device"),
        (nn.Parameter(torch.eye(3).to_mkldnn()), "other", "its layout is _mkldnn"),
    ],
    ids=["lazy", "meta", "layout"],
)
def test_what_has_no_numbers_here_is_told_with_its_reason(
    other: Any, name: str, reason: str
) -> None:
    """As a note; one for all that share a reason."""
    model = Partial(other=other)
    (note,) = notes_of(model, torch.optim.SGD(model.used.parameters(), lr=0.1))
    assert (note.name, note.level, note.state) == (name, "note", "unmeasured")
    assert note.detail is not None
    assert reason in note.detail
    assert ("(and 1 more)" in note.detail) == (name == "other.weight")


def test_a_healthy_model_has_no_such_note() -> None:
    """Nor has a parameter without any element, where there is one rank."""
    model = Partial(none=nn.Parameter(torch.empty(0, 3)))
    assert notes_of(model, torch.optim.SGD(model.parameters(), lr=0.1), 3) == []


def test_a_gradient_that_fails_to_be_measured_is_told_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those that were measured with it in one call are measured all the same."""

    def measure(grads: list[torch.Tensor], stacks: Any) -> torch.Tensor:
        if any(grad.shape == (3,) for grad in grads):
            raise NotImplementedError("no norm of three")
        return norms.grad_norms(grads, stacks)

    monkeypatch.delenv("GRADGATE_STRICT", raising=False)
    monkeypatch.setattr(statistics, "STATISTICS", (Statistic(GRAD_NORM, 1, measure),))
    model = nn.Linear(3, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steps(model, optimizer, 2)
        assert [info.state for info in run.parameters()] == ["present", "unmeasured"]
        (note,) = run.notes()
    assert (note.name, note.since_step) == ("bias", 1)
    assert note.detail is not None
    assert "no norm of three" in note.detail


def test_a_piece_on_another_rank_is_told_where_there_are_ranks() -> None:
    """And no longer once a sample has it."""
    table = ParameterTable({"": Partial(none=nn.Parameter(torch.empty(0)))})
    latest = LatestSample()
    source = Unmeasured(table, latest, {}, ranks=2)
    told = []
    for step, state in enumerate([State.UNMEASURED, State.UNMEASURED, State.PRESENT], 1):
        states = np.array([state, State.PRESENT, State.PRESENT], np.uint8)
        latest.receive(Sample(step, 0.0, states, {}))
        told.append([note.detail for note in source.find(last=False)])
    assert told == [[], ["`none`: this rank holds no element of it; another may."], []]
