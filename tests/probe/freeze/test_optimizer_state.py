"""Thaws with the optimizer's state kept or made new."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch.optim import SGD, Adagrad, Adam, AdamW

from gradgate import probe
from tests.support.steered import chain, run_command, steps


@pytest.mark.parametrize("make", [AdamW, Adam, Adagrad])
def test_a_thaw_with_reset_state_starts_as_a_new_optimizer(make: Any) -> None:
    """After the reset the parameter moves as under an optimizer that has never seen it."""
    model, optimizer = chain(make)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steps(model, optimizer, 1, 3)
        run.freeze("head")
        steps(model, optimizer, 4, 5)
        run.thaw("head", reset_state=True)
        fresh = copy.deepcopy(model)
        steps(model, optimizer, 6, 6)
    new = make(fresh.parameters(), lr=0.05)
    steps(fresh, new, 6, 6)
    assert torch.equal(model.head.weight, fresh.head.weight)
    assert not torch.equal(model.stem.weight, fresh.stem.weight)


def test_a_thaw_keeps_the_state_by_default() -> None:
    """The moments of before the freeze are there after the thaw."""
    model, optimizer = chain()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        steps(model, optimizer, 1, 3)
        before = optimizer.state[model.head.weight]["exp_avg"].clone()
        run.freeze("head")
        steps(model, optimizer, 4, 5)
        run.thaw("head")
        assert torch.equal(optimizer.state[model.head.weight]["exp_avg"], before)


class Eager(SGD):
    """A stranger's optimizer that makes its state when it is built."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr=lr)
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter]["needed"] = torch.zeros(1)


def test_a_strangers_state_is_not_dropped() -> None:
    """An optimizer that may need the state it made when it was built keeps it."""
    model, optimizer = chain(Eager)
    with probe.attach(model, optimizer, server=False) as run:
        run.freeze("head")
        with pytest.raises(probe.CommandError, match="Eager may have made its state"):
            run.thaw("head", reset_state=True)


@pytest.mark.parametrize(
    ("kind", "options"), [("thaw", {"hold_stats": True}), ("freeze", {"reset_state": True})]
)
def test_options_of_the_other_kind_are_refused(kind: str, options: dict[str, bool]) -> None:
    """A thaw holds nothing, and a freeze resets nothing."""
    with pytest.raises(probe.CommandError, match="belongs to a"):
        run_command(kind, "head", **options).check()
