"""Tensors inside what modules take and return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from gradgate.probe.torch_compat import tree
from tests.support.lacking import door_without

PYTREE = [f"torch.utils._pytree.{name}" for name in ("tree_flatten", "tree_unflatten")]
ONE, TWO = torch.ones(1), torch.full((1,), 2.0)


class Pair(NamedTuple):
    """A tuple with names."""

    left: Tensor
    right: Tensor


@dataclass
class Output:
    """An object with tensors, and with what holds some."""

    logits: Tensor
    layers: list[Tensor]


def double(tensor: Tensor) -> Tensor:
    return tensor * 2


def test_containers_are_made_anew_where_a_tensor_was_replaced() -> None:
    """Of their kind; where none was, they are themselves."""
    nested = {"a": (ONE, [TWO, "text"]), "b": Pair(ONE, TWO)}
    mapped = tree.map_tensors(double, nested)
    assert mapped["a"][0] == 2
    assert mapped["a"][1] == [4, "text"]
    assert isinstance(mapped["b"], Pair)
    assert nested["a"][0] is ONE
    assert tree.map_tensors(lambda tensor: tensor, nested) is nested
    assert {id(t) for t in tree.tensors_in(nested)} == {id(ONE), id(TWO)}


@pytest.mark.parametrize("keep", [False, True])
def test_an_object_keeps_its_identity_unless_it_is_to_be_left_alone(keep: bool) -> None:
    """Somebody else may hold on to it, or have lent it."""
    output = Output(ONE, [TWO])
    mapped = tree.map_tensors(double, output, keep=keep)
    assert (mapped is output) is not keep
    assert mapped.logits == 2
    assert mapped.layers[0] == 4
    assert (output.logits is ONE) is keep


def test_what_somebody_keeps_is_no_output() -> None:
    """Modules, optimizers, parameters deep inside, long lists, and what is too deep."""
    weight = nn.Parameter(torch.ones(1))

    class Holder:
        def __init__(self, value: Any) -> None:
            self.value = value

    assert tree.tensors_in(nn.Linear(1, 1)) == []
    assert tree.tensors_in(torch.optim.SGD([weight])) == []
    assert tree.tensors_in(weight) == [weight]
    assert tree.tensors_in(Holder(Holder(weight))) == []
    assert tree.tensors_in(Holder([ONE] * (tree.LONGEST + 1))) == []
    deep: Any = ONE
    for _ in range(tree.DEEPEST + 2):
        deep = Holder(deep)
    assert tree.tensors_in(deep) == []
    assert tree.tensors_in(deep.value) == [ONE]


def test_without_pytrees_tensors_are_still_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """In tuples, lists, dicts and objects: measuring goes on."""
    door = door_without(monkeypatch, "tree", *PYTREE)
    nested = {"a": (ONE, [TWO]), "b": Output(ONE, [TWO])}
    assert len(door.tensors_in(nested)) == 4
    assert door.map_tensors(double, (ONE, 3))[0] == 2
    assert door.map_tensors(double, ONE) == 2
