"""The table of parameters: names, rows and indexes that never change their meaning."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from gradgate import probe
from gradgate.probe.model.table import ParameterTable
from tests.support.growing import (
    adam,
    assert_measured,
    by_name,
    plain,
    train,
)


def test_a_replaced_head_with_a_group_of_its_own() -> None:
    """The old head's rows say that they were replaced; the new one's have the plain names."""
    model = plain()
    optimizer = adam(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        train(model, optimizer, step=1)
        train(model, optimizer, step=2)
        names = [info.name for info in run.parameters()]
        model.head = nn.Linear(16, 3)
        optimizer.add_param_group({"params": model.head.parameters()})
        applied = train(model, optimizer, step=3)
        rows = run.parameters()
        assert [row.name for row in rows] == [
            *names[:-2],
            "head.weight (replaced at step 3)",
            "head.bias (replaced at step 3)",
            "head.weight",
            "head.bias",
        ]
        assert [row.removed for row in rows[-4:]] == [True, True, False, False]
        assert [row.state for row in rows[-4:]] == ["unmeasured"] * 2 + ["present"] * 2
        assert rows[-4].grad_norm is None
        assert rows[-4].grad_max is None
        assert not rows[-4].in_optimizer
        assert rows[-4].shape == (3, 16)
        assert_measured(run, applied)


def test_what_is_thrown_away_is_not_kept_in_memory() -> None:
    """The table holds a replaced parameter weakly."""
    model = plain()
    with probe.attach(model, torch.optim.SGD(model.encoder.parameters()), server=False) as run:
        old = weakref.ref(model.head.weight)
        model.head = nn.Linear(16, 3)
        assert by_name(run)["head.weight (replaced at step 0)"].removed
        gc.collect()
        assert old() is None


def test_replaced_twice_in_one_step_has_two_names() -> None:
    """No two rows share a name."""
    model = plain()
    with probe.attach(model, adam(model), server=False) as run:
        for _ in range(3):
            model.head.bias = nn.Parameter(torch.zeros(3))
            run.parameters()
        assert [info.name for info in run.parameters() if "head.bias" in info.name] == [
            "head.bias (replaced at step 0)",
            "head.bias (2) (replaced at step 0)",
            "head.bias (3) (replaced at step 0)",
            "head.bias",
        ]


def test_load_state_dict_with_assign() -> None:
    """The assigned tensors are new parameters, measured as soon as an optimizer steps on them."""
    model = plain()
    optimizer = adam(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        train(model, optimizer, step=1)
        count = len(run.parameters())
        state = {key: value.clone() for key, value in model.state_dict().items()}
        model.load_state_dict(state, assign=True)
        optimizer.param_groups[0]["params"] = list(model.parameters())
        applied = train(model, optimizer, step=2)
        rows = run.parameters()
        assert [row.removed for row in rows] == [True] * count + [False] * count
        assert all(row.name.endswith(" (replaced at step 2)") for row in rows[:count])
        assert all(row.in_optimizer for row in rows[count:])
        assert_measured(run, applied)


def test_load_state_dict_in_place_changes_nothing() -> None:
    """Without assign the parameters stay the same ones."""
    model = plain()
    optimizer = adam(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        train(model, optimizer, step=1)
        names = [info.name for info in run.parameters()]
        model.load_state_dict({key: value.clone() for key, value in model.state_dict().items()})
        applied = train(model, optimizer, step=2)
        assert [info.name for info in run.parameters()] == names
        assert_measured(run, applied)


def test_a_parametrization_renames_what_it_wraps() -> None:
    """A parametrized weight keeps its index under its new name."""
    model = plain()
    optimizer = adam(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        train(model, optimizer, step=1)
        index = [info.name for info in run.parameters()].index("head.weight")
        parametrize.register_parametrization(model.head, "weight", nn.Tanh())
        applied = train(model, optimizer, step=2)
        rows = run.parameters()
        assert rows[index].name == "head.parametrizations.weight.original"
        assert not any(row.removed for row in rows)
        assert_measured(run, applied)


@pytest.mark.parametrize("remove", ["del", "pop"])
def test_removed_and_back(remove: str) -> None:
    """A parameter that left is removed, not replaced, and takes its place again when it is back."""
    model = plain()
    optimizer = adam(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        train(model, optimizer, step=1)
        names = [info.name for info in run.parameters()]
        head = model.head
        if remove == "del":
            del model.head
        else:
            model._modules.pop("head")
        gone = by_name(run)["head.weight (removed at step 1)"]
        assert gone.removed
        assert not gone.in_optimizer
        model.head = head
        applied = train(model, optimizer, step=2)
        assert [info.name for info in run.parameters()] == names
        assert not any(info.removed for info in run.parameters())
        assert_measured(run, applied)


def test_two_heads_take_turns() -> None:
    """Each of two modules that replace each other keeps its own rows."""
    model = plain()
    first, second = model.head, nn.Linear(16, 3)
    optimizer = adam(model)
    optimizer.add_param_group({"params": second.parameters()})
    with probe.attach(model, optimizer, server=False, every=1) as run:
        count = len(run.parameters())
        for step in range(1, 7):
            model.head = first if step % 2 else second
            applied = train(model, optimizer, step=step)
            assert_measured(run, applied)
        assert len(run.parameters()) == count + 2


def test_a_model_that_lost_all_its_parameters() -> None:
    """Nothing is left to name, and the job goes on."""
    model = nn.Sequential(nn.Linear(2, 2))
    with probe.attach(model, server=False, every=1) as run:
        del model[0]
        run.step()
        assert [info.removed for info in run.parameters()] == [True, True]
        with pytest.raises(probe.TargetError, match="has no parameters"):
            run.freeze("0.weight")


def test_the_table_follows_a_cast() -> None:
    """Of a part of the model, too; it is the same parameter."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    table = ParameterTable({"": model})
    model[1].to(torch.bfloat16)
    assert table.update({"": model}, 3)
    assert [row.dtype for row in table.rows([True] * 4)] == ["float32"] * 2 + ["bfloat16"] * 2
    assert not table.update({"": model}, 4)
