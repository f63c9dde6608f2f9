"""Parameters that a step used and that no model has registered."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradgate.probe.base.guard import Guard
from gradgate.probe.diagnosis.unregistered import (
    LONGEST,
    Unregistered,
    find_unregistered,
    unregistered_layers,
)
from tests.support.tracing import Recorded


class Holding(nn.Module):
    """Uses a weight that it holds somehow."""

    def __init__(self, used: Tensor, **held: Any) -> None:
        super().__init__()
        self.use = lambda x: (x * used).sum()
        vars(self).update(held)

    def forward(self, x: Tensor) -> Tensor:
        return self.use(x)  # type: ignore[no-any-return]


def found(model: nn.Module, in_optimizer: tuple[int, ...] = ()) -> list[Unregistered]:
    """Trace a step of a model, and find what it holds."""
    recorded = Recorded(lambda: model(torch.ones(2)).backward(), model)
    return find_unregistered(recorded.tape, recorded.index, in_optimizer, Guard())


def weight() -> Tensor:
    return torch.ones(2, requires_grad=True)


@pytest.mark.parametrize("path", ["", "net"])
@pytest.mark.parametrize(
    ("hold", "tail", "container"),
    [
        (lambda w: w, "", "tensor"),
        (lambda w: [w], "[0]", "list"),
        (lambda w: {"a": (1, w)}, "['a'][1]", "dict"),
    ],
)
def test_it_is_found_in_a_plain_container(path: str, hold: Any, tail: str, container: str) -> None:
    """Under its attribute path."""
    used = weight()
    model: nn.Module = Holding(used, kept=hold(used))
    if path:
        model = nn.Sequential(nn.Identity(), model)
    assert found(model) == [Unregistered(f"{'1.' if path else ''}kept{tail}", id(used), container)]


def test_the_parameters_of_a_module_in_a_list_are_found() -> None:
    """Those that were used."""
    layer = nn.Linear(2, 1)
    model = Holding(layer.weight, layers=[layer])
    assert [each.name for each in found(model)] == ["layers[0].weight"]
    model = Holding(layer.weight, _layers=[layer])
    assert [each.name for each in found(model)] == ["_layers[0].weight"]


def test_what_is_private_unused_or_in_an_optimizer_is_left_alone() -> None:
    """A tensor of which the name begins with an underscore is the module's own business."""
    used = weight()
    assert found(Holding(used, _kept=used)) == []
    assert found(Holding(used, _kept=[used])) == []
    assert found(Holding(used, kept=weight())) == []
    assert found(Holding(used, kept=used), (id(used),)) == []


def test_one_that_is_held_twice_is_found_once() -> None:
    """Under the first path."""
    used = weight()
    assert [each.name for each in found(Holding(used, first=[used], second=used))] == ["first[0]"]


def test_a_very_long_container_is_looked_at_in_part() -> None:
    """A dataset in a list takes no time."""
    used = weight()
    assert found(Holding(used, kept=[0] * (LONGEST - 1) + [used])) != []
    assert found(Holding(used, kept=[0] * LONGEST + [used])) == []


def test_a_container_that_holds_itself_is_looked_at_in_part() -> None:
    """And what is in it is found."""
    used = weight()
    kept: list[object] = [used]
    kept.append(kept)
    model = Holding(used, kept=kept)
    assert [each.name for each in found(model)] == ["kept[0]"]


def test_it_is_said_where_it_reaches_the_loss_in_vain() -> None:
    """At its first use."""
    used = weight()
    model = Holding(used, kept=[used])
    recorded = Recorded(lambda: model(torch.ones(2)).backward(), model)
    (each,) = find_unregistered(recorded.tape, recorded.index, (), Guard())
    finding = each.finding(recorded.tape, recorded.dataflow)
    assert finding is not None
    assert (finding.cause, finding.stopped_by) == ("not_in_optimizer", "a plain list")
    assert finding.place == recorded.call("mul").place


def test_what_leads_to_no_loss_or_is_made_by_the_step_is_well() -> None:
    """A leaf that the step itself makes is no parameter."""
    used = weight()
    model = Holding(used, kept=used)

    def unused() -> None:
        model(torch.ones(2))
        weight().sum().backward()

    recorded = Recorded(unused, model)
    assert (
        Unregistered("kept", id(used), "tensor").finding(recorded.tape, recorded.dataflow) is None
    )

    def fresh() -> None:
        made.append(torch.ones(2).clone().requires_grad_())
        made[0].sum().backward()

    made: list[Tensor] = []
    recorded = Recorded(fresh, model)
    each = Unregistered("kept", id(made[0]), "tensor")
    assert recorded.tape.leaves[id(made[0])]
    assert each.finding(recorded.tape, recorded.dataflow) is None


class Failing(list[object]):
    """A container that cannot be read."""

    def __iter__(self) -> Iterator[object]:
        raise RuntimeError("not now")


def test_no_code_of_a_container_runs() -> None:
    """One that raises as it is read is looked at all the same, and so is what is beside it."""
    used, gone = weight(), nn.Linear(1, 1)
    kept: list[object] = [weakref.proxy(gone), Failing([used])]
    model = Holding(used, kept=kept)
    del gone
    assert [each.name for each in found(model)] == ["kept[1][0]"]
    assert list(unregistered_layers({"": model})) == []


@pytest.mark.parametrize("wide", [True, False])
def test_containers_in_one_another_are_looked_at_within_one_bound(wide: bool) -> None:
    """Many that hold one another, and many in one: as a graph, or episodes that are replayed."""
    used = weight()
    nodes: list[Any] = [{"next": []} for _ in range(LONGEST)]
    for node in nodes:
        node["next"] = nodes
    episodes = [[0.0] * LONGEST for _ in range(LONGEST)]
    episodes[-1][0] = used  # type: ignore[call-overload]
    assert found(Holding(used, kept=episodes if wide else nodes)) == []
    assert [each.name for each in found(Holding(used, kept=[nodes[:2], used]))] == ["kept[1]"]


def test_what_holds_itself_takes_the_bound_once() -> None:
    """What is behind it is found all the same."""
    used = weight()
    loop: list[Any] = []
    loop += [loop] * (LONGEST // 3)
    held = found(Holding(used, kept=[loop, {"a": {"b": used}}]))
    assert [each.name for each in held] == ["kept[1]['a']['b']"]


def test_a_key_that_is_no_plain_one_is_named_by_its_type() -> None:
    """Its text may be long, or take long to make."""
    used = weight()
    assert [each.name for each in found(Holding(used, kept={used: used}))] == ["kept[<Tensor>]"]


def test_layers_are_named_by_the_way_to_them() -> None:
    """Of each module that is looked at, also in a private list; no tensor is one."""
    first, second = nn.Linear(1, 1), nn.Linear(1, 1)
    model = Holding(weight(), _layers=[weight(), {"a": (first,)}], kept=[second])
    assert list(unregistered_layers({"net": model})) == [
        ("net._layers[1]['a'][0]", first),
        ("net.kept[0]", second),
    ]
