"""Walks the autograd graph, and knows its nodes again without holding on to them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, Node

from ..torch_compat.autograd import number_of
from ..torch_compat.modules import CALLS

DEEPEST = 10_000
"""Nodes in a row that may be looked at: torch frees a chain of those that Python has seen by
recursion (2.13), which takes the whole stack of 8 MiB at some 50,000."""
_MARK = "gradgate"
_ACCUMULATES = "AccumulateGrad"


def key_of(node: Node) -> object:
    """What stands for a node; it lies in the node, and is the same as long as that lives.

    A node holds all that its backward needs, so to hold nodes until a step is over would keep
    the activations of every graph that the step drops. Its ``metadata`` is where anomaly
    detection, too, leaves what it knows of a node.
    """
    metadata: dict[str, object] = node.metadata  # type: ignore[assignment]  # a property
    return metadata.setdefault(_MARK, object())


def leaf_of(node: Node) -> Tensor | None:
    """The leaf, for a node that accumulates its gradient; None for every other.

    Other nodes have a ``variable`` as well: custom functions may keep anything in theirs.
    """
    return node.variable if type(node).__name__ == _ACCUMULATES else None  # type: ignore[attr-defined]


def node_of(root: Tensor | GradientEdge) -> Node | None:
    """The node that a backward from a root begins at; None where that is a leaf.

    torch takes an edge of the graph for a tensor that is gone, as stages of pipelines do (2.15).
    """
    if isinstance(root, Tensor):
        return root.grad_fn
    return root.node if leaf_of(root.node) is None else None


def asked_leaf(asked: Tensor | GradientEdge) -> Tensor | None:
    """The leaf whose gradient is asked for; None where that of something else is."""
    if isinstance(asked, Tensor):
        return asked if asked.is_leaf else None
    return leaf_of(asked.node)


def leaves(tensors: Iterable[Tensor]) -> Iterator[Tensor | None]:
    """Yield the leaves that ``tensors`` pass a gradient to, and None for one that is hidden."""
    starts: list[Node] = []
    for tensor in tensors:
        if tensor.grad_fn is not None:
            starts.append(tensor.grad_fn)
        elif tensor.requires_grad:
            yield tensor
    yield from leaves_of(starts)


def leaves_of(starts: Iterable[Node]) -> Iterator[Tensor | None]:
    """Yield the leaves that nodes pass a gradient to, and None for one that is hidden."""
    for node in reachable(starts):
        if hasattr(node, "variable"):  # AccumulateGrad
            yield node.variable
        if hasattr(node, "cut_off"):  # by a gate
            yield from node.cut_off()
        if hasattr(node, "run_function"):  # a reentrant checkpoint, torch's or its kin's
            yield from _inside(node.run_function)


def reachable(starts: Iterable[Node]) -> Iterator[Node]:
    """Yield each node of the autograd graph upstream of ``starts`` once, those included."""
    pending = list(starts)
    # The nodes themselves, not their ids: their Python objects live only as long as somebody
    # holds them, and a freed id returns at once.
    visited: set[Node] = set()
    while pending:
        node = pending.pop()
        if node in visited:
            continue
        visited.add(node)
        yield node
        if not hasattr(node, "cut_off"):  # behind it is an anchor
            pending += [following for following, _ in node.next_functions if following is not None]


def made_on_the_way(ends: Iterable[Node | None]) -> set[Node]:
    """Return those of some nodes that are upstream of another of them.

    Only what was made after the first of them is gone through: nodes are numbered as they come.
    """
    wanted = {node for node in ends if node is not None}
    found: set[Node] = set()
    if len(wanted) < 2:
        return found
    first = min(number_of(node) for node in wanted)
    pending, visited = list(wanted), set(wanted)
    while pending:
        for node, _ in pending.pop().next_functions:
            if node in wanted:
                found.add(node)
            if node is not None and node not in visited and number_of(node) >= first:
                visited.add(node)
                pending.append(node)
    return found


def _inside(function: Any) -> Iterator[Tensor | None]:
    """The leaves that a checkpointed function uses by itself."""
    while isinstance(function, functools.partial):
        function = function.func
    if getattr(function, "__name__", None) in CALLS:
        function = getattr(function, "__self__", function)
    if isinstance(function, nn.Module):
        yield from (parameter for parameter in function.parameters() if parameter.requires_grad)
    else:
        yield None
