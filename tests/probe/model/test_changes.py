"""Parameters that join, leave or change their names while a model trains."""

from __future__ import annotations

import copy
import gc
import json
import logging
import math
import pickle
import weakref
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.nn.utils import parametrize

from gradgate import probe
from gradgate.probe.model.changes import ModelChanges
from gradgate.probe.model.table import ParameterTable
from gradgate.server.protocol import messages
from gradgate.server.protocol.frames import decode
from tests.support import zoo

NOBODY = "http://127.0.0.1:9"
"""The discard port: no server answers there, so the outbox keeps every frame."""


class LoRA(nn.Module):
    """A frozen linear layer with a trainable adapter of low rank beside it."""

    def __init__(self, base: nn.Linear, rank: int = 2) -> None:
        super().__init__()
        self.base_layer = base
        self.lora_A = nn.Linear(base.in_features, rank, bias=False)
        self.lora_B = nn.Linear(rank, base.out_features, bias=False)
        nn.init.normal_(self.lora_B.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.base_layer(x) + self.lora_B(self.lora_A(x))  # type: ignore[no-any-return]


def plain() -> zoo.Plain:
    torch.manual_seed(0)
    return zoo.Plain()


def adam(model: nn.Module) -> torch.optim.AdamW:
    return torch.optim.AdamW(model.parameters(), lr=0.01)


def train(model: nn.Module, *optimizers: torch.optim.Optimizer, step: int = 1) -> dict[str, Tensor]:
    """One step; the gradients that were applied, by name."""
    for optimizer in optimizers:
        optimizer.zero_grad()
    zoo.loss_of(model, step).backward()
    applied = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    for optimizer in optimizers:
        optimizer.step()
    return applied


def by_name(run: probe.Run) -> dict[str, probe.ParameterInfo]:
    return {info.name: info for info in run.parameters()}


def assert_measured(run: probe.Run, applied: dict[str, Tensor]) -> None:
    """The latest sample has exactly these gradients' norms."""
    rows = {name: row for name, row in by_name(run).items() if not row.removed}
    measured = {name: row.grad_norm for name, row in rows.items() if row.state == "present"}
    expected = {name: grad.norm().item() for name, grad in applied.items() if bool(grad.any())}
    assert measured == pytest.approx(expected, rel=1e-5)


def add_adapter(model: Any, optimizer: torch.optim.Optimizer) -> None:
    """Freeze the head as LoRA does and train an adapter instead."""
    model.head.requires_grad_(False)
    model.head = LoRA(model.head)
    optimizer.add_param_group({"params": [p for p in model.head.parameters() if p.requires_grad]})


@pytest.mark.parametrize("every", [1, 3])
def test_adapters_on_a_frozen_base(every: int) -> None:
    """The base's parameters keep their indexes, and the adapter is measured from the start."""
    model = plain()
    optimizer = adam(model)
    with probe.attach(model, optimizer, server=False, every=every) as run:
        for step in range(1, 4):
            train(model, optimizer, step=step)
        before = [info.name for info in run.parameters()]
        add_adapter(model, optimizer)
        for step in range(4, 7):
            applied = train(model, optimizer, step=step)
        names = [info.name for info in run.parameters()]
        assert names == [
            *(name.replace("head.", "head.base_layer.") for name in before),
            "head.lora_A.weight",
            "head.lora_B.weight",
        ]
        assert_measured(run, applied)
        rows = by_name(run)
        assert rows["head.base_layer.weight"].state == "frozen"
        assert rows["head.lora_A.weight"].in_optimizer
        assert rows["head.lora_A.weight"].shape == (2, 16)


def test_training_is_the_same_with_and_without_the_probe() -> None:
    """Adapters trained under the probe end bitwise where they end without it."""
    results = []
    for attached in (False, True):
        model = plain()
        optimizer = adam(model)
        run = probe.attach(model, optimizer, server=False, every=1) if attached else None
        for step in range(1, 9):
            if step == 4:
                add_adapter(model, optimizer)
            train(model, optimizer, step=step)
        if run is not None:
            run.detach()
        results.append(zoo.weights(model))
    assert results[0] == results[1]


class Frugal(torch.optim.SGD):
    """Frees the gradients that it has used, so that they can be measured before only."""

    def step(self, closure: Any = None) -> None:
        super().step(closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None


def test_the_first_sample_covers_what_was_added_before_its_forward() -> None:
    """A parameter in a new group is measured where the optimizer's others are, from the start."""
    model = plain()
    optimizer = Frugal(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        train(model, optimizer, step=1)
        train(model, optimizer, step=2)
        add_adapter(model, optimizer)
        applied = train(model, optimizer, step=3)
        assert "head.lora_A.weight" in applied
        assert_measured(run, applied)


def test_adapters_under_a_loss_scale() -> None:
    """A fused optimizer's new group has unscaled norms at once."""
    model = plain()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for step in range(1, 4):
            if step == 3:
                add_adapter(model, optimizer)
            optimizer.zero_grad()
            scaler.scale(zoo.loss_of(model, step)).backward()
            applied = {n: p.grad / 64 for n, p in model.named_parameters() if p.grad is not None}
            scaler.step(optimizer)
            scaler.update()
        assert "head.lora_A.weight" in applied
        assert_measured(run, applied)


def test_without_an_optimizer() -> None:
    """Under run.step() too, the sample of its first step covers a new parameter."""
    model = plain()
    with probe.attach(model, server=False, every=1) as run:
        zoo.loss_of(model, 1).backward()
        run.step()
        model.zero_grad()
        model.head = nn.Sequential(model.head, nn.Linear(3, 3))
        zoo.loss_of(model, 2).backward()
        applied = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
        run.step()
        assert "head.1.weight" in applied
        assert_measured(run, applied)


def test_a_parameter_that_is_added_between_two_optimizers_steps() -> None:
    """A sample that one optimizer began takes in what comes before the other's step."""
    model = plain()
    first = torch.optim.SGD(model.encoder.parameters(), lr=0.1)
    second = torch.optim.SGD(model.head.parameters(), lr=0.1)
    with probe.attach(model, [first, second], server=False, every=1) as run:
        zoo.loss_of(model, 1).backward()
        first.step()
        model.scale = nn.Parameter(torch.ones(3))
        model.scale.sum().backward()
        second.add_param_group({"params": [model.scale]})
        second.step()
        assert by_name(run)["scale"].grad_norm == pytest.approx(math.sqrt(3))


@pytest.mark.parametrize("persisting", [False, True])
def test_an_added_gradient_that_is_left_over_is_stale(persisting: bool) -> None:
    """Whether a backward wrote it is told for a new parameter as for the others."""
    model = plain()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for step in range(1, 5):
            optimizer.zero_grad(set_to_none=not persisting)
            zoo.loss_of(model, step).backward()
            optimizer.step()
        model.scale = nn.Parameter(torch.ones(3))
        optimizer.add_param_group({"params": [model.scale]})
        for step, (used, state) in enumerate(
            [(True, "present"), (False, "stale"), (True, "present"), (False, "stale")]
        ):
            if persisting:
                optimizer.zero_grad(set_to_none=False)
            loss = zoo.loss_of(model, step)
            (loss + model.scale.sum() if used else loss).backward()
            optimizer.step()
            assert by_name(run)["scale"].state == state, step


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
        assert "scale" in [names[0] for names in run._job.table.names]


def test_a_new_group_makes_the_model_be_walked() -> None:
    """A parameter that no hook saw is found at once when an optimizer gets it."""
    model = plain()
    optimizer = adam(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        for step in range(1, 4):
            train(model, optimizer, step=step)
        model._modules["head"] = nn.Linear(16, 3)
        optimizer.add_param_group({"params": model.head.parameters()})
        assert_measured(run, train(model, optimizer, step=4))


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


def test_a_freeze_leaves_out_what_comes_later() -> None:
    """A parameter that joins a frozen module is frozen by a new command, not by the earlier."""
    model = plain()
    optimizer = adam(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        run.freeze("head")
        model.head.scale = nn.Parameter(torch.ones(3))
        optimizer.add_param_group({"params": [model.head.scale]})
        optimizer.zero_grad()
        (zoo.loss_of(model, 1) + model.head.scale.sum()).backward()
        optimizer.step()
        states = {name: info.state for name, info in by_name(run).items()}
        assert states["head.scale"] == "present"
        assert states["head.weight"] == "frozen"
        assert run.freeze("head") == ("head.weight", "head.bias", "head.scale")


def test_a_target_means_what_is_in_the_model() -> None:
    """A module's path and a glob leave out replaced parameters, whose new name is no target."""
    model = plain()
    optimizer = adam(model)
    with probe.attach(model, optimizer, server=False, every=1) as run:
        train(model, optimizer, step=1)
        model.head.bias = nn.Parameter(torch.zeros(3))
        train(model, optimizer, step=2)
        assert run.freeze("head") == ("head.weight", "head.bias")
        assert run.thaw("head.*") == ("head.weight", "head.bias")
        assert "head.bias (replaced at step 2)" in by_name(run)
        with pytest.raises(probe.TargetError, match="matches no parameter"):
            run.freeze("head.bias (replaced at step 2)")


def test_a_model_that_lost_all_its_parameters() -> None:
    """Nothing is left to name, and the job goes on."""
    model = nn.Sequential(nn.Linear(2, 2))
    with probe.attach(model, server=False, every=1) as run:
        del model[0]
        run.step()
        assert [info.removed for info in run.parameters()] == [True, True]
        with pytest.raises(probe.TargetError, match="has no parameters"):
            run.freeze("0.weight")


def global_hooks() -> tuple[int, int]:
    return (
        len(torch_module._global_parameter_registration_hooks),
        len(torch_module._global_module_registration_hooks),
    )


def test_detach_leaves_no_global_hook() -> None:
    """The registration hooks of two runs go with the runs, detached or forgotten."""
    before = global_hooks()
    first = plain()
    run = probe.attach(first, adam(first), server=False)
    second = plain()
    other = probe.attach(second, adam(second), server=False)
    assert global_hooks() == (before[0] + 2, before[1] + 2)
    run.detach()
    run.detach()
    assert global_hooks() == (before[0] + 1, before[1] + 1)
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


def test_hooks_of_a_replaced_parameter_are_removed() -> None:
    """Where gradients persist every parameter has a hook; one that left has none."""
    model = plain()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.attach(model, optimizer, server=False, every=1):
        for step in range(1, 5):
            optimizer.zero_grad(set_to_none=False)
            zoo.loss_of(model, step).backward()
            optimizer.step()
        old = model.head.weight
        assert old._post_accumulate_grad_hooks
        model.head = nn.Linear(16, 3)
        optimizer.zero_grad(set_to_none=False)
        zoo.loss_of(model, 5).backward()
        optimizer.step()
        assert not old._post_accumulate_grad_hooks


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


def test_frames_of_a_growing_table_are_what_the_server_takes() -> None:
    """Every table that is sent is valid, only grows, and comes before samples of its size."""
    model = plain()
    optimizer = adam(model)
    with probe.attach(model, optimizer, server=NOBODY, every=1) as run:
        hello = json.loads(json.dumps(run._job.uplink.hello()))
        train(model, optimizer, step=1)
        sent = run._job.uplink._outbox.take()
        add_adapter(model, optimizer)
        train(model, optimizer, step=2)
        sent += run._job.uplink._outbox.take()[len(sent) :]
        model.head = nn.Linear(16, 3)
        optimizer.add_param_group({"params": model.head.parameters()})
        train(model, optimizer, step=3)
        run.freeze("head")
        sent += run._job.uplink._outbox.take()[len(sent) - 1 :]
        final = run._job.uplink.hello()
    adapter: TypeAdapter[Any] = TypeAdapter(messages.FromProbe)
    assert isinstance(adapter.validate_python(final), messages.Hello)
    size, tables = len(hello["parameters"]), 0
    for entry in sent:
        if isinstance(entry.frame, bytes):
            assert len(decode(entry.frame).states) <= size
            continue
        message = adapter.validate_json(entry.frame)
        if isinstance(message, messages.Parameters):
            tables += 1
            assert len(message.parameters) > size
            size = len(message.parameters)
        if isinstance(message, messages.Report):
            assert max(message.parameters, default=0) < size
    assert tables == 2
    assert size == len(final["parameters"])
    rows = {row["names"][0]: row for row in final["parameters"]}
    assert rows["head.lora_A.weight (removed at step 3)"]["removed"]
    assert not rows["head.weight"]["removed"]


def test_optimizers_of_single_parameters_are_not_all_looked_at_in_each_step() -> None:
    """A step of one of them asks that one only for its groups; all would be quadratic."""
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(10)))
    asked: list[int] = []

    class Counting(torch.optim.SGD):
        def __getattribute__(self, name: str) -> Any:
            if name == "param_groups":
                asked.append(id(self))
            return super().__getattribute__(name)

    optimizers = [Counting([parameter], lr=0.1) for parameter in model.parameters()]
    model(torch.ones(1, 2)).sum().backward()
    with probe.attach(model, optimizers, server=False):
        optimizers[0].step()
        asked.clear()
        optimizers[1].step()
        assert set(asked) == {id(optimizers[1])}
