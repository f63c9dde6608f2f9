"""Walks of the autograd graph."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge
from torch.utils.checkpoint import checkpoint

from gradgate.probe.model.graph_walk import (
    asked_leaf,
    key_of,
    leaf_of,
    leaves,
    leaves_of,
    made_on_the_way,
    node_of,
    reachable,
)


def node(tensor: Tensor) -> Any:
    assert tensor.grad_fn is not None
    return tensor.grad_fn


def test_each_node_of_a_graph_that_splits_and_joins_comes_once() -> None:
    """A graph with many ways through it is walked in time that grows with its nodes."""
    x = torch.ones(1, requires_grad=True)
    y = x
    for _ in range(40):
        y = y + y
    assert len(list(reachable([node(y)]))) == 41
    assert [leaf is x for leaf in leaves([y])] == [True]


def test_what_others_are_made_of_was_made_on_the_way() -> None:
    """Of several ends of a graph those that another passes through; no end stands for itself."""
    x = torch.ones(1, requires_grad=True)
    one, two = x * 2, x * 3
    three = (one * 1).exp()
    assert made_on_the_way([node(one), node(two), node(three), None]) == {node(one)}
    assert made_on_the_way([node(three), node(three)]) == set()
    assert made_on_the_way([node(two), node(one)]) == set()


def test_a_leaf_is_its_own() -> None:
    """A tensor that requires a gradient and was made by nobody, and one that carries none."""
    leaf = torch.ones(1, requires_grad=True)
    assert list(leaves([leaf, torch.ones(1)])) == [leaf]


class Cut(torch.autograd.Function):
    """Stands for the node with which a gate cuts the graph."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, anchor: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None]:
        return None, None


def test_behind_a_cut_are_the_leaves_that_it_names() -> None:
    """A gate's node says what it cut off; what else hangs on it is the probe's own."""
    behind, anchor = (torch.ones(1, requires_grad=True) for _ in range(2))
    cut = node(Cut.apply(torch.ones(1), anchor))
    type(cut).cut_off = lambda self: iter([behind])
    try:
        found = list(leaves_of([cut]))
    finally:
        del type(cut).cut_off
    assert [leaf is behind for leaf in found] == [True]


def test_a_reentrant_checkpoint_names_its_module_or_hides() -> None:
    """Of a module the trainable parameters are taken; a function's inside nobody knows."""
    module = nn.Linear(2, 2)
    module.bias.requires_grad_(False)
    x = torch.ones(1, 2, requires_grad=True)
    of_module = list(leaves([checkpoint(module, x, use_reentrant=True)]))
    assert [leaf is module.weight or leaf is x for leaf in of_module] == [True, True]
    of_function = list(leaves([checkpoint(lambda y: module(y), x, use_reentrant=True)]))
    assert None in of_function


def test_only_a_node_that_accumulates_stands_for_a_leaf() -> None:
    """A custom function may keep anything in a ``variable`` of its own."""
    x = torch.ones(1, requires_grad=True)
    product = node(x * 2)
    accumulates = product.next_functions[0][0]
    assert leaf_of(accumulates) is x
    assert leaf_of(product) is None

    class Keeping(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, y: Tensor) -> Tensor:
            ctx.variable = y
            return y.clone()

        @staticmethod
        def backward(ctx: Any, *grads: Tensor) -> Tensor:
            return grads[0]

    assert leaf_of(node(Keeping.apply(x))) is None


def test_a_node_is_known_again_and_not_kept_alive() -> None:
    """Its key is the same however often it is asked for, and the graph can be freed."""
    kept = torch.ones(3, requires_grad=True).exp()
    watched = weakref.ref(kept)
    key = key_of(node(kept))
    assert key_of(node(kept)) is key
    assert key_of(node(kept * 2)) is not key
    del kept
    gc.collect()
    assert watched() is None


def test_a_backward_begins_at_a_node_unless_at_a_leaf() -> None:
    """A tensor has the same as the edge that torch takes for it."""
    x = torch.ones(2, requires_grad=True)
    made = x.exp()
    for root in (made, get_gradient_edge(made)):
        assert node_of(root) is made.grad_fn
    for root in (x, get_gradient_edge(x)):
        assert node_of(root) is None


def test_the_leaf_that_is_asked_for_is_known_by_its_edge() -> None:
    """Of what is no leaf there is none."""
    x = torch.ones(2, requires_grad=True)
    made = x.exp()
    for asked in (x, get_gradient_edge(x)):
        assert asked_leaf(asked) is x
    for asked in (made, get_gradient_edge(made)):
        assert asked_leaf(asked) is None
