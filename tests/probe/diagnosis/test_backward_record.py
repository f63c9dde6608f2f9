"""What arrived at the nodes of a backward, and what they passed on."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import Node

from gradgate.probe.base.guard import Guard
from gradgate.probe.diagnosis.backward_record import BackwardRecord, NodeRecord, largest
from gradgate.probe.model.graph_walk import DEEPEST, key_of


@pytest.fixture
def record() -> BackwardRecord:
    return BackwardRecord(Guard())


def leaf() -> Tensor:
    return torch.tensor([1.0, -2.0], requires_grad=True)


def begin(tensor: Tensor) -> Node:
    """Return the node that a backward from a tensor begins at."""
    assert tensor.grad_fn is not None
    return tensor.grad_fn


def run(record: BackwardRecord, loss: Tensor, gradient: float = 1.0) -> None:
    """Make a backward under the record."""
    assert record.watch([begin(loss)], ())
    loss.backward(torch.full_like(loss, gradient))
    record.unwatch()
    record.read_sizes()


def node(record: BackwardRecord, tensor: Tensor) -> NodeRecord:
    return record.nodes[key_of(begin(tensor))]


def test_sizes_are_the_largest_magnitudes(record: BackwardRecord) -> None:
    """Of what arrived, of what was passed on, and of what came to the leaf."""
    x = leaf()
    h = x * torch.tensor([3.0, -4.0])
    loss = h.sum()
    run(record, loss, 2.0)
    assert node(record, loss).received == 2
    assert node(record, h).received == 2
    assert node(record, h).sent(0) == 8
    assert record.arrived_at(id(x)) == 8


def test_nothing_is_no_size(record: BackwardRecord) -> None:
    """For an edge that passed nothing on, and for a leaf that no backward knows."""

    class Stop(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: object, *gradient: Tensor) -> None:
            return None

    x = leaf()
    h = Stop.apply(x)
    run(record, h.sum())  # type: ignore[no-untyped-call]
    assert node(record, h).ran
    assert node(record, h).sent(0) is None
    assert record.arrived_at(id(x)) is None
    assert record.arrived_at(id(leaf())) is None


def test_nodes_know_the_order_and_who_is_above(record: BackwardRecord) -> None:
    """From the loss on; a leaf that is used twice has two ways to it."""
    x = leaf()
    h = x.exp()
    loss = (h * x).sum()
    run(record, loss)
    product = node(record, loss).edges[0]
    assert product is not None
    assert node(record, loss).root
    assert not product.root
    assert node(record, loss).order < product.order < node(record, h).order
    (at_leaf,) = record.leaves[id(x)]
    assert {(above.key, edge) for above, edge in at_leaf.above} == {
        (node(record, h).key, 0),
        (product.key, 1),
    }


def test_a_hook_of_the_script_comes_between_what_was_sent_and_what_arrived(
    record: BackwardRecord,
) -> None:
    """Both are told."""
    x = leaf()
    h = x.exp()
    h.register_hook(torch.zeros_like)
    loss = h.sum()
    run(record, loss)
    assert node(record, loss).sent(0) == 1
    assert node(record, h).received == 0


def test_each_backward_has_a_record_of_its_own(record: BackwardRecord) -> None:
    """Also of a graph that is kept; the larger size counts, of those that are not forgotten."""
    x = leaf()
    loss = (x * 3).sum()
    assert record.watch([begin(loss)], ())
    loss.backward(retain_graph=True)
    record.unwatch()
    run(record, loss, 5.0)
    assert [each.backward for each in record.leaves[id(x)]] == [0, 1]
    assert node(record, loss).arrived == [5]
    assert [record.arrived_at(id(x), number) for number in (None, 0, 1)] == [15, 3, 15]
    record.keep({0})
    assert record.arrived_at(id(x)) == 3


def test_nothing_is_recorded_after_the_backward(record: BackwardRecord) -> None:
    """No hook stays on a node."""
    x = leaf()
    loss = x.exp().sum()
    assert record.watch([begin(loss)], ())
    record.unwatch()
    loss.backward()
    assert record.arrived_at(id(x)) is None


def test_a_graph_that_is_too_deep_is_not_watched(record: BackwardRecord) -> None:
    """Unless its nodes were looked at before."""
    h = leaf()
    keys = set()
    for _ in range(DEEPEST + 2):
        h = h * 1
        keys.add(key_of(h.grad_fn))  # type: ignore[arg-type]
    assert not record.watch([begin(h)], ())
    assert BackwardRecord(Guard()).watch([begin(h)], keys)


def test_a_record_that_is_cleared_holds_nothing(record: BackwardRecord) -> None:
    """Nodes hold each other in a circle."""
    loss = leaf().exp().sum()
    run(record, loss)
    top = node(record, loss)
    record.clear()
    assert (record.nodes, record.leaves, top.edges, top.above) == ({}, {}, [], [])


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [([], None), ([0.0], 0.0), ([1.0, math.inf, 2.0], math.inf), ([0.0, math.nan, 7.0], math.nan)],
)
def test_nan_is_larger_than_all(sizes: list[float], expected: float | None) -> None:
    """It is what has to be seen; of nothing there is no largest."""
    found = largest(sizes)
    assert found is expected if expected is None else found == pytest.approx(expected, nan_ok=True)
