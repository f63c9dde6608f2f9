"""Changes of a model are noticed, at a cost that is bounded."""

from __future__ import annotations

import copy
import gc
import logging
import pickle
import weakref

import pytest
import torch
from torch import nn

from gradgate import probe
from gradgate.probe.model.changes import ModelChanges
from gradgate.probe.model.table import ParameterTable
from gradgate.probe.session.run import job_of
from tests.support import zoo
from tests.support.growing import (
    LoRA,
    adam,
    by_name,
    global_hooks,
    plain,
    train,
)


def test_a_write_that_no_hook_sees_is_found_by_a_walk() -> None:
    """A parameter put into _parameters itself is there after twice as many steps, at the latest."""
    model = plain()
    optimizer = adam(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for step in range(1, 4):
            train(model, optimizer, step=step)
        model._parameters["scale"] = nn.Parameter(torch.ones(3))
        for step in range(4, 9):
            train(model, optimizer, step=step)
        assert "scale" in [names[0] for names in job_of(run).table.names]


def test_models_are_not_walked_without_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of a model that stays as it is, and modules made elsewhere, cause no walk."""
    walks = []
    update = ParameterTable.update
    monkeypatch.setattr(
        ParameterTable, "update", lambda *args: (walks.append(args), update(*args))[1]
    )
    model = plain()
    optimizer = adam(model)
    with probe.attach(model, optimizer, server=False, every=1):
        for step in range(1, 33):
            train(model, optimizer, step=step)
            nn.Sequential(nn.Linear(2, 2))
            copy.deepcopy(model)
            model.head.bias = model.head.bias
    # At attach, and after 1, 2, 4, 8, 16 and 32 steps; a slow machine adds one each 5 s.
    assert 7 <= len(walks) <= 8


def test_detach_leaves_no_global_hook() -> None:
    """The registration hooks of two runs go with the runs, detached or forgotten."""
    before = global_hooks()
    first = plain()
    run = probe.attach(first, adam(first), server=False)
    second = plain()
    other = probe.attach(second, adam(second), server=False)
    assert global_hooks() == (before[0] + 2, before[1] + 4)
    run.detach()
    run.detach()
    assert global_hooks() == (before[0] + 1, before[1] + 2)
    assert by_name(other)["head.weight"].shape == (3, 16)
    seen = weakref.ref(other)
    del other, second
    gc.collect()
    assert seen() is None
    assert global_hooks() == before


def test_detached_means_no_longer_followed() -> None:
    """After detach the table stays as it was, and the model is free of the probe."""
    model = plain()
    optimizer = adam(model)
    run = probe.attach(model, optimizer, server=False, every=1)
    train(model, optimizer)
    run.detach()
    names = [info.name for info in run.parameters()]
    model.head = nn.Linear(16, 3)
    optimizer.add_param_group({"params": model.head.parameters()})
    train(model, optimizer)
    assert [info.name for info in run.parameters()] == names
    assert not any(p._post_accumulate_grad_hooks for p in model.parameters())


def test_copies_and_pickles_of_a_grown_model_are_clean() -> None:
    """deepcopy and pickle work after a change, and a copy's life is not the model's."""
    model = plain()
    optimizer = adam(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        train(model, optimizer)
        model.head = LoRA(model.head)
        train(model, optimizer)
        names = [info.name for info in run.parameters()]
        copied, loaded = copy.deepcopy(model), pickle.loads(pickle.dumps(model))
        for other in (copied, loaded):
            other.head = nn.Linear(16, 3)
            zoo.loss_of(other, 1).backward()
        train(model, optimizer, step=2)
        assert [info.name for info in run.parameters()] == names


def test_endless_replacement_is_followed_to_a_limit(caplog: pytest.LogCaptureFixture) -> None:
    """A model that gets a new parameter at every step cannot make the table grow without bound."""
    model = nn.ParameterList([nn.Parameter(torch.ones(2))])
    table = ParameterTable({"": model})
    growth = ModelChanges({"": model}, table, step=lambda: 1)
    before = global_hooks()
    with caplog.at_level(logging.WARNING, "gradgate"):
        for _ in range(1200):
            model[0] = nn.Parameter(torch.ones(2))
            growth.walk()
    assert len(table) == 1011
    assert "replaces its parameters again and again" in caplog.text
    assert global_hooks() == (before[0] - 1, before[1] - 1)


def test_walks_are_held_to_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose modules are assigned to without end is not walked at every step."""
    now = 0.0
    monkeypatch.setattr("gradgate.probe.model.changes.time.monotonic", lambda: now)
    model = plain()
    table = ParameterTable({"": model})
    growth = ModelChanges({"": model}, table, step=lambda: 1)

    def update(*_: object) -> bool:
        nonlocal now
        now += 0.002
        return False

    monkeypatch.setattr(table, "update", update)
    walks = 0
    for _ in range(10_000):
        now += 0.01
        model.act = nn.ReLU()
        if growth.noticed:
            walks += 1
            growth.walk()
    growth.remove()
    # 100 s of steps, of which 1 % is 1 s: 500 walks of 2 ms, and 125 of the allowance.
    assert 620 <= walks <= 640


def test_a_module_that_was_assigned_is_watched_from_then_on() -> None:
    """What is assigned to a part that joined later is noticed at once, too."""
    model = plain()
    changes = ModelChanges({"": model}, ParameterTable({"": model}), step=lambda: 1)
    assert not changes.noticed
    model.head = nn.Sequential(nn.Linear(16, 3))
    assert changes.noticed
    assert changes.walk()
    assert not changes.noticed
    model.head[0].bias = nn.Parameter(torch.zeros(3))
    assert changes.noticed
    changes.remove()
    assert not changes.noticed


def test_what_is_assigned_elsewhere_is_none_of_ours() -> None:
    """The hooks are called for every module of the process."""
    model = plain()
    changes = ModelChanges({"": model}, ParameterTable({"": model}), step=lambda: 1)
    copy.deepcopy(model).head = nn.Linear(16, 3)
    model.head.bias = model.head.bias
    assert not changes.noticed
    changes.remove()
