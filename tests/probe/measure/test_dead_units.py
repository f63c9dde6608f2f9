"""Units of a layer that get exactly nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradgate import probe
from gradgate.probe.base.guard import Guard
from gradgate.probe.measure.dead_units import UnitLooks
from gradgate.probe.model.dead_units import DeadUnits
from gradgate.probe.session.run import job_of


def looked(looks: UnitLooks, step: int, grad: Tensor) -> DeadUnits | None:
    """Look at one gradient, that of parameter 3."""
    looks.measure([(3, grad)])
    looks.finish(step)
    found = looks.collect(step)
    return found[0] if found else None


def test_a_unit_is_dead_that_got_nothing_in_each_of_the_looks() -> None:
    """One that had something once begins anew; NaN and the smallest number are something."""
    looks = UnitLooks(Guard(), patience=2)
    grad = torch.zeros(4, 3)
    grad[0, 0], grad[1, 0] = torch.nan, 1e-45
    found = looked(looks, 5, grad)
    assert found == DeadUnits(3, 5, 5, 1, rows=4, dead_rows=2, columns=3, dead_columns=2)
    grad[2, 2] = 1
    found = looked(looks, 9, grad)
    assert found == DeadUnits(3, 9, 5, 2, rows=4, dead_rows=1, columns=3, dead_columns=1)
    grad[2, 2] = 0
    assert looked(looks, 10, grad) == DeadUnits(3, 10, 9, 2, 4, 1, 3, 1)
    assert looked(looks, 11, grad) == DeadUnits(3, 11, 10, 2, 4, 2, 3, 2)


@pytest.mark.parametrize("shape", [(5,), (), (0, 3)])
def test_only_what_has_rows_and_columns_is_looked_at(shape: tuple[int, ...]) -> None:
    """A bias of zeros is a zero gradient, which is told anyway."""
    assert looked(UnitLooks(Guard()), 1, torch.zeros(shape)) is None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.complex64])
def test_the_channels_of_a_convolution_are_its_units(dtype: torch.dtype) -> None:
    """All that lies behind the first two dimensions belongs to both."""
    grad = torch.zeros(4, 3, 2, 2, dtype=dtype)
    grad[1, 2, 1, 0] = 1
    assert looked(UnitLooks(Guard()), 1, grad) == DeadUnits(3, 1, 1, 1, 4, 3, 3, 2)


def test_another_shape_begins_anew() -> None:
    """As after a layer has been made wider in place."""
    looks = UnitLooks(Guard())
    looked(looks, 1, torch.zeros(4, 3))
    found = looked(looks, 2, torch.zeros(6, 3))
    assert found is not None
    assert (found.looks, found.since_step, found.dead_rows) == (1, 2, 6)


def test_a_job_tells_how_many_units_get_nothing() -> None:
    """Of a hidden layer whose last 37 units cannot become positive; the first layer's rows."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1))
    with torch.no_grad():
        model[0].bias[27:] = -1e3
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    seen: list[DeadUnits] = []
    with probe.attach(model, optimizer, server=False, every=1) as run:
        job_of(run).delivery.units_seen.add(seen.append)
        for _ in range(3):
            model(torch.randn(100, 8)).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    last: dict[int, Any] = {units.parameter: units for units in seen}
    assert last.keys() == {0, 2}
    assert (last[0].rows, last[0].dead_rows, last[0].looks) == (64, 37, 3)
    assert (last[2].columns, last[2].dead_columns) == (64, 37)


def test_a_gradient_that_was_not_written_again_is_not_counted_again() -> None:
    """A stale gradient says nothing of the step."""
    model = nn.Linear(2, 2, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    seen: list[DeadUnits] = []
    with probe.attach(model, optimizer, server=False, every=1) as run:
        job_of(run).delivery.units_seen.add(seen.append)
        model(torch.ones(1, 2)).sum().backward()
        for _ in range(3):
            optimizer.step()
    assert [units.step for units in seen] == [1]
