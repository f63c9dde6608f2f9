"""Where gradients arrived in a backward, and how large they were."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor
from torch.autograd.graph import Node
from torch.utils.hooks import RemovableHandle

from ..base.guard import Guard, GuardedHook
from ..measure.local_part import local_part
from ..measure.magnitude import measured, read
from ..model.graph_walk import DEEPEST, key_of, leaf_of
from .leaf_keys import LeafKeys


@dataclass(eq=False)
class NodeRecord:
    """A node of the autograd graph, and what went through it in one backward."""

    key: object
    """What stands for the node."""
    edges: list[NodeRecord | None]
    """What it passes gradients on to, in order; None where nothing wants one."""
    leaf: int | None
    """The key of the leaf, for the node that accumulates its gradient."""
    backward: int = 0
    """The number of the backward, from 0."""
    above: list[tuple[NodeRecord, int]] = field(default_factory=list)
    """Who passes gradients to it, and which of their edges that is."""
    root: bool = False
    ran: bool = False
    order: int = 0
    """When it ran, counted from 1."""
    arrived: list[Any] = field(default_factory=list)
    """Sizes of what arrived at it, one an output that got something."""
    passed: dict[int, list[Any]] = field(default_factory=dict)
    """Sizes of what it passed on, by edge; None in it is no gradient."""
    hooked: bool = False
    """Several pass gradients to it, and hooks change what they add up to."""
    sums: list[Any] = field(default_factory=list)
    """The size of what was passed to it, added up before its hooks, if it is ``hooked``."""

    @property
    def received(self) -> float | None:
        """The size of what arrived; None if nothing did."""
        return largest(self.arrived)

    def sent(self, edge: int) -> float | None:
        """Return the size of what it passed on by an edge; None if nothing."""
        return largest([size for size in self.passed.get(edge, ()) if size is not None])


class BackwardRecord:
    """Watches the backwards of one step; the graph of each is known before it runs."""

    def __init__(self, guard: Guard, keys: LeafKeys | None = None) -> None:
        self._guard = guard
        self._keys = LeafKeys() if keys is None else keys
        self._handles: list[RemovableHandle] = []
        self._ran = 0
        self._backwards = 0
        self._recorded: list[NodeRecord] = []
        self.nodes: dict[object, NodeRecord] = {}
        """Those of the last backward, by the key of the node."""
        self.leaves: dict[int, list[NodeRecord]] = {}
        """By the key of the leaf, one for each backward whose graph it is in."""

    def watch(
        self, roots: Iterable[Node], seen: Container[object], hooked: Container[object] = ()
    ) -> bool:
        """Watch the backward from ``roots`` that is about to run; return whether that can be done.

        ``seen``: keys of the nodes that were looked at before. With too many others it cannot.
        ``hooked``: the keys of nodes and leaves with hooks.
        """
        self.nodes = {}
        self._backwards += 1
        reached: dict[NodeRecord, Node] = {}
        for root in roots:
            start = self._record(root)
            start.root = True
            reached[start] = root
        pending = list(reached.items())
        strange = 0
        while pending and strange <= DEEPEST:
            for below, following in self._look_below(*pending.pop()):
                if below not in reached:
                    reached[below] = following
                    pending.append((below, following))
                    strange += below.leaf is None and below.key not in seen
        if strange > DEEPEST:
            return False
        for record, node in reached.items():
            several = len(record.above) > 1
            record.hooked = several and (record.key in hooked or record.leaf in hooked)
            if record.leaf is None:
                self._handles.append(
                    node.register_hook(GuardedHook(self._guard, partial(self._add, record)))
                )
        return True

    def unwatch(self) -> None:
        """Take the hooks away after the backward."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        for record in self.nodes.values():
            record.sums = [_size(gradient) for gradient in record.sums]

    def arrived_at(self, leaf: int, backward: int | None = None) -> float | None:
        """Return the largest size of what was passed on to a leaf, once sizes are read, if any.

        In one backward, by its number from 0, or in all of them.
        """
        records = [r for r in self.leaves.get(leaf, ()) if backward in (None, r.backward)]
        ways = [way for record in records for way in record.above]
        sent = [size for above, edge in ways if (size := above.sent(edge)) is not None]
        return largest(sent)

    def keep(self, backwards: Container[int]) -> None:
        """Forget what went through leaves in all other backwards."""
        for leaf, records in self.leaves.items():
            self.leaves[leaf] = [each for each in records if each.backward in backwards]

    def clear(self) -> None:
        """Let go of everything at once."""
        for record in self._recorded:
            record.edges.clear()
            record.above.clear()
        self._recorded.clear()
        self.nodes.clear()
        self.leaves.clear()

    def read_sizes(self) -> None:
        """Read the sizes, which are tensors until then."""
        lists = [r.arrived for r in self._recorded]
        lists += [sizes for r in self._recorded for sizes in r.passed.values()]
        lists += [record.sums for record in self._recorded]
        tensors = [size for sizes in lists for size in sizes if isinstance(size, Tensor)]
        values = iter(read(tensors))
        for sizes in lists:
            sizes[:] = [next(values) if isinstance(size, Tensor) else size for size in sizes]

    def _record(self, node: Node) -> NodeRecord:
        key = key_of(node)
        record = self.nodes.get(key)
        if record is None:
            found = leaf_of(node)
            leaf = None if found is None else self._keys.of(found)
            record = self.nodes[key] = NodeRecord(key, [], leaf, self._backwards - 1)
            self._recorded.append(record)
            if leaf is not None:
                self.leaves.setdefault(leaf, []).append(record)
        return record

    def _look_below(self, record: NodeRecord, node: Node) -> list[tuple[NodeRecord, Node]]:
        following = [below for below, _ in node.next_functions]
        if not record.edges:
            record.edges = [None if below is None else self._record(below) for below in following]
            for edge, below in enumerate(record.edges):
                if below is not None:
                    below.above.append((record, edge))
        found = zip(record.edges, following, strict=True)
        return [(below, node) for below, node in found if below is not None and node is not None]

    def _add(self, record: NodeRecord, passed: Sequence[Any], arrived: Sequence[Any]) -> None:
        self._ran += 1
        record.ran, record.order = True, self._ran
        # Not what those above passed on: it is their sum, and hooks of tensors come in between.
        record.arrived += [size for size in map(_size, arrived) if size is not None]
        for edge, gradient in enumerate(passed):
            below = record.edges[edge] if edge < len(record.edges) else None
            if below is not None:
                if below.hooked and isinstance(gradient, Tensor):
                    below.sums = [sum(below.sums, gradient)]
                record.passed.setdefault(edge, []).append(_size(gradient))


def largest(sizes: Sequence[float]) -> float | None:
    """Return the largest of some sizes, NaN before all; None of none."""
    if not sizes:
        return None
    return next((size for size in sizes if size != size), max(sizes))


def _size(gradient: object) -> Tensor | float | None:
    if not isinstance(gradient, Tensor):
        return None
    size = measured(local_part(gradient))
    return 1.0 if size is None else size
