"""Freezes of a compiled model."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch.optim import SGD

from gradgate import probe
from tests.support import zoo
from tests.support.steered import one_step, plain, states, train_on


def test_many_different_freezes_of_a_compiled_model_never_end_in_eager_mode() -> None:
    """More freezes than the recompilation limit: each is compiled, and holds."""
    torch.compiler.reset()
    counter = CompileCounterWithBackend("aot_eager")
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Linear(4, 4) for _ in range(12)))
    optimizer = SGD(model.parameters(), lr=0.01)
    compiled: Any = torch.compile(model, backend=counter)
    assert torch._dynamo.config.recompile_limit < 12
    with probe.attach(model, optimizer, server=False, every=1) as run:
        train_on(compiled, optimizer, torch.randn(8, 4), 1)
        for index in range(12):
            run.freeze(f"{index}.bias")
            compiled_before = counter.frame_count
            frozen = model[index].bias.clone()
            train_on(compiled, optimizer, torch.randn(8, 4), 2)
            assert counter.frame_count == compiled_before + 1
            assert torch.equal(model[index].bias, frozen)
    torch.compiler.reset()


@pytest.mark.exhaustive(1)
# Dynamo warns about its own use of deprecated and odd parts of torch.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
@pytest.mark.parametrize("order", ["before", "after", "wrapped"])
def test_compiled_models_freeze_and_thaw(order: str) -> None:
    """Attached before or after torch.compile a freeze holds, and backward never raises."""
    torch._dynamo.reset()
    model, optimizer = plain()
    if order == "before":
        run = probe.attach(model, optimizer, server=False, every=1)
    compiled: Any = torch.compile(model, backend="aot_eager", fullgraph=True)
    if order == "after":
        one_step(compiled, optimizer)
    if order != "before":
        run = probe.attach(
            compiled if order == "wrapped" else model, optimizer, server=False, every=1
        )
    with run:
        for target in ("*encoder.0.*", "*"):
            one_step(compiled, optimizer)
            run.freeze(target)
            held = zoo.weights(model)["encoder.0.weight"]
            one_step(compiled, optimizer)
            one_step(compiled, optimizer)
            assert zoo.weights(model)["encoder.0.weight"] == held
        run.thaw("*")
        one_step(compiled, optimizer)
        assert set(states(run)) == {"present"}
