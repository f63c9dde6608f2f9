"""``probe.site``: tensors that are marked in a forward."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradgate import probe
from tests.support.structures import STRUCTURES


@pytest.mark.parametrize("name", list(STRUCTURES))
def test_a_label_takes_any_structure(name: str) -> None:
    """A label gates every tensor in a structure, and leaves the one it was given as it was."""
    wrap, unwrap = STRUCTURES[name]
    a, b = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    given = wrap(a * 2, b * 3)
    run = probe.attach(nn.Identity(), server=False)
    assert probe.site(given, "it") is given
    run.gate("site:it", action="scale", factor=5.0)
    passed = probe.site(given, "it")
    (unwrap(passed) + unwrap(given)).sum().backward()
    run.detach()
    assert a.grad is not None
    assert b.grad is not None
    assert a.grad.tolist() == [12.0] * 3
    assert b.grad.tolist() == [18.0] * 3


def test_a_label_is_passed_while_there_is_a_gate_on_it() -> None:
    """Only tensors that carry a gradient become views, and none once the gate is gone."""
    x = torch.ones(3, requires_grad=True)
    run = probe.attach(nn.Identity(), server=False)
    run.gate("site:it")
    assert probe.site(x, "it") is not x
    assert probe.site(x, "other") is x
    assert probe.site(x.detach(), "it") is not None
    plain = torch.ones(3)
    assert probe.site(plain, "it") is plain
    with torch.no_grad():
        assert probe.site(x, "it") is x
    run.ungate(1)
    assert probe.site(x, "it") is x
    run.gate("site:it")
    run.detach()
    assert probe.site(x, "it") is x


def test_every_run_that_has_the_label_gates_it() -> None:
    """A call in a forward reaches all runs of the process, each with its own gates."""
    x = torch.ones(3, requires_grad=True)
    runs = [probe.attach(nn.Identity(), server=False) for _ in range(2)]
    for run, factor in zip(runs, (2.0, 3.0), strict=True):
        run.gate("site:it", action="scale", factor=factor)
    probe.site(x, "it").sum().backward()
    for run in runs:
        run.detach()
    assert x.grad is not None
    assert x.grad.tolist() == [6.0] * 3
