"""Casts and moves of a model of which a part is frozen by command."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

from gradgate import probe
from tests.support.steered import reports_of


def by_hand(model: nn.Module) -> None:
    """As CLIP's ``convert_weights``."""
    for parameter in model.parameters():
        parameter.data = parameter.data.double()


CONVERSIONS: dict[str, Callable[[nn.Module], object]] = {
    "to": lambda model: model.to(torch.bfloat16),
    "double": lambda model: model.double(),
    "there and back": lambda model: model.half().float(),
    "a part": lambda model: model[0].half().float(),  # type: ignore[index]
    "to_empty": lambda model: model.to_empty(device="cpu").requires_grad_(),
    "by hand": by_hand,
}


def train(model: nn.Sequential, optimizer: SGD, count: int) -> None:
    for _ in range(count):
        optimizer.zero_grad()
        x: Tensor = torch.ones(3, 4, dtype=model[0].weight.dtype)
        model(x).square().mean().backward()
        optimizer.step()


def pair() -> tuple[nn.Sequential, SGD]:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
    return model, SGD(model.parameters(), lr=1e-3)


@pytest.mark.parametrize("convert", CONVERSIONS.values(), ids=CONVERSIONS)
def test_a_cast_or_a_move_of_what_is_frozen_is_no_drift(
    convert: Callable[[nn.Module], object],
) -> None:
    """And the table follows; a write after it is one."""
    model, optimizer = pair()
    with probe.attach(model, optimizer, server=False, every=1) as run:
        reports = reports_of(run)
        run.freeze("0")
        train(model, optimizer, 3)
        convert(model)
        train(model, optimizer, 6)
        assert {report.state.value for report in reports} == {"applied", "verified"}
        dtype = str(model[0].weight.dtype).removeprefix("torch.")
        assert {info.dtype for info in run.parameters()} == {dtype}
        model[0].weight.data.fill_(3.0)
        train(model, optimizer, 9)
        assert reports[-1].state.value == "drifted"


def test_it_is_listened_to_only_while_something_is_frozen() -> None:
    """Not after a thaw, nor when a run was dropped without a detach."""
    own = nn.Module._apply
    model, optimizer = pair()
    run = probe.attach(model, optimizer, server=False)
    assert nn.Module._apply is own
    run.freeze("0")
    assert nn.Module._apply is not own
    run.thaw("0")
    assert nn.Module._apply is own
    run.freeze("0")
    gone = weakref.ref(model)
    del model, optimizer, run
    gc.collect()
    assert gone() is None
    assert nn.Module._apply is own
