"""Nodes of the autograd graph, known again without holding on to them."""

from __future__ import annotations

from torch.autograd.graph import Node

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


def leaf_of(node: Node) -> int | None:
    """``id`` of the leaf, for a node that accumulates its gradient; None for every other.

    Other nodes have a ``variable`` as well: custom functions may keep anything in theirs.
    """
    return id(node.variable) if type(node).__name__ == _ACCUMULATES else None  # type: ignore[attr-defined]
