"""Optimizers inside optimizers: which of them make a step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer

from gradgate.probe.model.inner_optimizers import family, parts, with_inner


class Around(Optimizer):
    """Keeps other optimizers, and shares their groups."""

    def __init__(self, *inner: Optimizer, **more: Any) -> None:
        groups = [group for each in inner for group in each.param_groups]
        super().__init__({tensor: None for group in groups for tensor in group["params"]}, {})
        self.param_groups = groups
        self.inner = inner
        vars(self).update(more)


def tensors(count: int) -> Iterable[Tensor]:
    return [torch.zeros(2, requires_grad=True) for _ in range(count)]


def test_what_is_inside_belongs_to_what_is_around_it() -> None:
    """However deep; in an attribute, a list or a dict, and once if it is there twice."""
    held = tensors(2)
    base = SGD(held, lr=0.1)
    for outer in (
        Around(base),
        Around(base, again=base, table={"same": base}),
        Around(base, itself=None),
    ):
        outer.itself = outer
        assert family(outer) == [outer, base]
    around = Around(Around(base))
    assert family(around)[-1] is base
    assert with_inner([around]) == family(around)
    assert len(family(around)) == 3


def test_what_has_other_tensors_or_is_given_by_itself_is_no_part_of_it() -> None:
    """One that is only known, and one that the script has named beside it."""
    base, other = SGD(tensors(2), lr=0.1), Adam(tensors(1))
    outer = Around(base, friend=other)
    assert family(outer) == [outer, base]
    assert family(outer, [outer, base]) == [outer]


def test_a_collection_is_its_parts() -> None:
    """Where each tensor is in one of them: a script may step them by themselves."""
    held = list(tensors(3))
    muon, adam = SGD(held[:2], lr=0.1), Adam(held[2:])
    assert parts(Around(muon, adam)) == [muon, adam]
    for one in (Around(muon), Around(muon, SGD(held, lr=0.1)), adam):
        assert parts(one) == [one]
