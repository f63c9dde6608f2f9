"""What conditions know of the step: the movement of a gate's own parameter."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradgate import probe


def train(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()


def test_a_gate_closes_by_how_far_its_parameter_moved() -> None:
    """Before the first look it cannot be told, and the gate is open; then it decides."""
    model = nn.Linear(3, 1)
    with torch.no_grad():
        model.weight.fill_(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.gate("param:weight", when="update_ratio > 0.5 and weight_norm > 1")
        train(model, optimizer)
        (gate,) = run.gates()
        assert not gate.closed
        assert gate.problem is not None
        assert "update_ratio" in gate.problem
        before = model.weight.detach().clone()
        train(model, optimizer)
        assert run.gates()[0].closed
        assert torch.equal(model.weight, before)
        # It has not moved in the latest step, so the gate opens again.
        train(model, optimizer)
        assert not run.gates()[0].closed
        assert not torch.equal(model.weight, before)


def test_movement_is_known_at_a_parameter_only() -> None:
    """Elsewhere no weight is meant, so that the gate is refused where it names one."""
    model = nn.Sequential(nn.Linear(3, 1))
    with probe.attach(model, server=False) as run:
        with pytest.raises(probe.ConditionError, match="weight_norm is that of a param") as told:
            run.gate("output:0", when="1 + weight_norm > 2")
        assert told.value.column == 4
        assert run.gates() == []
