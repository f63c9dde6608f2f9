"""What a script makes is noticed, and attached to once."""

from __future__ import annotations

import copy
import weakref
from typing import Any

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.modules import module as module_state
from torch.optim import SGD, Adam, Optimizer

from gradgate import probe
from gradgate.probe.script import watch as watch_module
from gradgate.probe.script.watch import Watch

from .conftest import Notes


def train(model: nn.Module, *optimizers: Optimizer, steps: int = 1) -> None:
    for _ in range(steps):
        for optimizer in optimizers:
            optimizer.zero_grad()
        model(torch.ones(2, 4)).square().mean().backward()
        for optimizer in optimizers:
            optimizer.step()


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))


def test_a_model_is_attached_to_with_its_optimizer_before_its_first_step(
    watch: Watch, notes: Notes
) -> None:
    """The first backward is seen, and each step is told after the run has taken it."""
    model = net()
    optimizer = SGD(model.parameters(), 0.1)
    train(model, optimizer, steps=3)

    (found,), (run,) = notes.found, notes.runs
    assert found.given is model
    assert found.optimizers == [optimizer]
    assert {each.state for each in run.parameters()} == {"present"}
    assert {each.step for each in run.parameters()} == {3}
    assert (notes.steps, watch.lack) == (3, None)


def test_training_is_the_same_to_the_bit(watch: Watch, notes: Notes) -> None:
    """Weights after some steps are those of the same script without a watch."""
    models = []
    for watched in (True, False):
        torch.manual_seed(0)
        model = net()
        train(model, Adam(model.parameters()), steps=4)
        models.append(model.state_dict())
        if watched:
            watch.stop(failed=False)
    assert len(notes.runs) == 1
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])


def test_several_models_and_optimizers_are_one_run_under_the_names_of_the_script(
    watch: Watch, notes: Notes
) -> None:
    """A GAN's two are found together, with the variables that hold them as their names."""
    generator, critic = net(), nn.Linear(1, 1)
    optimizers = [SGD(generator.parameters(), 0.1), SGD(critic.parameters(), 0.1)]
    critic(generator(torch.ones(2, 4))).mean().backward()
    for optimizer in optimizers:
        optimizer.step()

    (found,) = notes.found
    assert found.models == {"generator": generator, "critic": critic}
    assert found.optimizers == optimizers


def test_the_largest_module_is_meant_and_a_wrapper_counts(watch: Watch, notes: Notes) -> None:
    """Where a part is called by itself, the whole that holds it is attached to."""

    class Trainer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = net()

    whole = Trainer()
    train(whole.inner, SGD(whole.parameters(), 0.1))
    assert [found.given for found in notes.found] == [whole]


def test_a_wrapper_that_is_gone_is_not_the_model(watch: Watch, notes: Notes) -> None:
    """Though nothing has collected it yet, as it refers to itself."""
    wrapper = nn.Sequential(net())
    wrapper.own = [wrapper]  # type: ignore[assignment]
    model = wrapper[0]
    del wrapper
    train(model, SGD(model.parameters(), 0.1))
    assert [found.given for found in notes.found] == [model]


def test_what_is_made_later_has_a_run_of_its_own(watch: Watch, notes: Notes) -> None:
    """A second model with its optimizer, after the first has trained."""
    first, second = net(), nn.Linear(4, 1)
    train(first, SGD(first.parameters(), 0.1))
    train(second, SGD(second.parameters(), 0.1))
    assert [found.given for found in notes.found] == [first, second]
    assert notes.ended == []


def test_a_new_optimizer_for_the_same_model_begins_a_new_run(watch: Watch, notes: Notes) -> None:
    """The run that had the old one ends first, and both are in the new one."""
    model = net()
    old = SGD(model.parameters(), 0.1)
    train(model, old)
    new = Adam(model.parameters())
    train(model, new)
    assert notes.ended == notes.runs[:1]
    assert {type(each) for each in notes.found[1].optimizers} == {SGD, Adam}


def test_optimizers_without_end_are_not_followed_without_end(
    watch: Watch, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One anew for each step makes so many runs and no more; training goes on."""
    monkeypatch.setattr(watch_module, "MOST_RUNS", 2)
    model = net()
    for _ in range(4):
        train(model, SGD(model.parameters(), 0.1))
    assert len(notes.runs) == 2


def test_a_trained_model_whose_optimizer_holds_others_is_found(watch: Watch, notes: Notes) -> None:
    """It is the one that was called in training mode, and wants a gradient."""
    model, frozen = net(), net().eval()
    optimizer = SGD([each.detach().clone().requires_grad_() for each in model.parameters()], 0.1)
    optimizer.zero_grad()
    frozen(torch.ones(2, 4))
    train(model, optimizer)
    assert [found.given for found in notes.found] == [model]
    assert watch.loose == 4


def test_a_functional_call_does_not_hide_the_model(watch: Watch, notes: Notes) -> None:
    """During one the module holds other tensors; it is found at the step."""
    model = net()
    optimizer = SGD(model.parameters(), 0.1)
    weights = {name: each.detach().requires_grad_() for name, each in model.named_parameters()}
    functional_call(model, weights, torch.ones(2, 4)).mean().backward()
    optimizer.step()
    assert [found.given for found in notes.found] == [model]
    assert watch.loose == 0


def test_what_a_functional_call_alone_trains_is_held_by_no_module(
    watch: Watch, notes: Notes
) -> None:
    """The module has them for the time of the call, and is not what trains."""
    model = net()
    weights = {name: each.detach().requires_grad_() for name, each in model.named_parameters()}
    optimizer = SGD(weights.values(), 0.1)
    functional_call(model, weights, torch.ones(2, 4)).mean().backward()
    optimizer.step()
    assert notes.found == []
    assert watch.lack == "no module holds the 4 tensors of the optimizers (SGD)"


@pytest.mark.parametrize("knows_optimizer", [True, False])
def test_a_run_of_the_scripts_own_is_left_as_it_is(
    watch: Watch, notes: Notes, knows_optimizer: bool
) -> None:
    """Nothing is attached beside it, and it is told of."""
    model = net()
    optimizer = SGD(model.parameters(), 0.1)
    with probe.attach(model, optimizer if knows_optimizer else None, server=False) as run:
        train(model, optimizer)
        assert (notes.foreign, notes.found, watch.lack) == ([run], [], None)


def test_a_copied_optimizer_is_noticed_when_it_steps(watch: Watch, notes: Notes) -> None:
    """No ``__init__`` is called for it."""
    watch.stop(failed=False)
    model = net()
    optimizer = copy.copy(SGD(model.parameters(), 0.1))
    later = Watch(notes)
    train(model, optimizer, steps=2)
    later.stop(failed=False)
    assert [found.optimizers for found in notes.found] == [[optimizer]]


@pytest.mark.parametrize(
    ("made", "lack"),
    [
        (lambda: None, "no torch.optim.Optimizer was made"),
        (lambda: SGD([torch.ones(1, requires_grad=True)], 0.1), "no model was called"),
        (lambda: SGD([torch.ones(1, requires_grad=True)], 0.1).step(), "no module holds the 1"),
    ],
)
def test_what_was_lacking_is_said(watch: Watch, made: Any, lack: str) -> None:
    """No optimizer, no step, and none with parameters of a module."""
    made()
    assert lack in str(watch.lack)


def test_nothing_is_left_behind(notes: Notes) -> None:
    """After the end no hook is on any module or optimizer, and classes are as they were."""
    before = Optimizer.__init__
    watch = Watch(notes)
    model = net()
    optimizer = SGD(model.parameters(), 0.1)
    assert Optimizer.__init__ is not before
    train(model, optimizer)
    watch.stop(failed=False)
    watch.stop(failed=False)
    assert Optimizer.__init__ is before
    assert not module_state._global_forward_pre_hooks
    assert notes.ended == notes.runs


def test_objects_that_may_not_be_looked_at_are_not(watch: Watch, notes: Notes) -> None:
    """Names are looked for among all that the script has, some of which is lazy, or gone."""

    class Lazy:
        def __getattribute__(self, name: str) -> object:
            raise RuntimeError(f"not there yet: {name}")

    lazy, gone = Lazy(), weakref.proxy(net())
    one, two = net(), nn.Linear(1, 1)
    optimizers = [SGD(one.parameters(), 0.1), SGD(two.parameters(), 0.1)]
    train(nn.Sequential(one, two), *optimizers)
    assert len(notes.runs) == 1
    del lazy, gone
