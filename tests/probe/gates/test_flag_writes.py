"""A gate on a parameter whose ``requires_grad`` the script sets itself."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import nn

from gradgate import probe
from tests.support.asking import batch, critic
from tests.support.zoo import weights

Set = Callable[[nn.Parameter, bool], object]
SETTERS: dict[str, Set] = {
    "by assignment": lambda p, flag: setattr(p, "requires_grad", flag),
    "by method": lambda p, flag: p.requires_grad_(flag),
    "in one go": lambda p, flag: nn.ParameterList([p]).requires_grad_(flag),
}


@pytest.mark.parametrize("set_flag", SETTERS.values(), ids=SETTERS)
def test_what_the_script_freezes_in_a_step_stays_so(set_flag: Set) -> None:
    """The gate keeps it for the step, and lets go of what is then the script's."""
    model = critic()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.gate("param:0.weight")
        model(batch()).sum().backward()
        set_flag(model[0].weight, False)
        optimizer.step()
        assert not model[0].weight.requires_grad
        set_flag(model[0].weight, True)
        before = weights(model)["0.weight"]
        model(batch()).sum().backward()
        optimizer.step()
        assert weights(model)["0.weight"] == before, "the gate stands, whoever sets the flag"
        assert run.gates()[0].closed_steps == 2
        assert model[0].weight.requires_grad
    assert model[0].weight.requires_grad


@pytest.mark.parametrize("gated", ["judge.0.weight", "maker.weight"])
def test_a_loop_that_gives_back_the_flags_that_it_found(gated: str) -> None:
    """As Lightning's, with two optimizers in a step: nothing is frozen for good, nor let past."""
    models = nn.ModuleDict({"maker": nn.Linear(4, 4), "judge": critic()})
    optimizers = [torch.optim.AdamW(net.parameters(), lr=0.1) for net in models.values()]

    def iterate() -> None:
        for chosen, optimizer in zip(models.values(), optimizers, strict=True):
            found = {p: p.requires_grad for p in models.parameters()}
            for parameter in models.parameters():
                parameter.requires_grad = False
            for parameter in chosen.parameters():
                parameter.requires_grad = found[parameter]
            optimizer.zero_grad()
            models["judge"](models["maker"](batch())).mean().backward()
            optimizer.step()
            for parameter, flag in found.items():
                parameter.requires_grad = flag

    with probe.attach(dict(models.items()), optimizers, server=False, every=1) as run:
        iterate()
        number = run.gate(f"param:{gated}")
        before = weights(models)
        for _ in range(3):
            iterate()
        after = weights(models)
        assert {name for name in after if after[name] == before[name]} == {gated}
        assert run.gates()[0].closed_steps == 3
        run.ungate(number)
        iterate()
    assert weights(models)[gated] != before[gated]
    assert all(parameter.requires_grad for parameter in models.parameters())


def test_nothing_is_listened_to_without_a_gate_on_a_parameter() -> None:
    """And a run that is dropped without a detach can be collected."""
    own = nn.Parameter.requires_grad_, nn.Parameter.requires_grad  # type: ignore[misc]
    model = critic()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = probe.attach(model, optimizer, server=False)
    run.gate("output:0")
    assert nn.Parameter.requires_grad_ is own[0]
    run.gate("param:0.weight")
    assert nn.Parameter.requires_grad_ is not own[0]
    gone = weakref.ref(model)
    del run, model, optimizer
    gc.collect()
    assert gone() is None
    assert (nn.Parameter.requires_grad_, nn.Parameter.requires_grad) == own  # type: ignore[misc]
