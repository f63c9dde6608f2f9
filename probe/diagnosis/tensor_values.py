"""What each tensor of a traced step holds, from one write to the next."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, Node

from ..base.source import Chain
from ..measure.local_part import is_sharded, own_part
from ..measure.magnitude import measured
from ..model.graph_walk import DEEPEST, asked_leaf, key_of, leaf_of
from ..model.table import is_uninitialized
from ..torch_compat import versions
from ..torch_compat.tensors import base_of, is_freed, is_inside_transform, is_view, wraps_others
from .escaped_numbers import EscapedNumbers
from .tape import Call, Entry, Tape, Value

T = TypeVar("T")
_Seen: TypeAlias = "tuple[weakref.ref[Tensor], int, Value]"


@dataclass(frozen=True)
class Inside:
    """What a custom function made of what, as far as its inside was seen."""

    function: str
    chain: Chain
    parents: list[Value]


class TensorValues:
    """Knows tensors again, also after a write, and what made those of which no call was seen."""

    def __init__(
        self,
        tape: Tape,
        strange: Callable[[Tensor], None] = lambda _: None,
    ) -> None:
        """``strange``: told of every leaf that is no parameter of the models."""
        self._tape = tape
        self._strange = strange
        self._seen: dict[int, _Seen] = {}
        self._written: dict[int, tuple[weakref.ref[Tensor], Value]] = {}
        """What was last written into a tensor, by the ``id`` of the one it is a view of."""
        self._inside: dict[int, tuple[weakref.ref[Tensor], Inside]] = {}
        """What made a tensor inside of a custom function, by the tensor's ``id``."""
        self._constructed: dict[int, tuple[weakref.ref[Tensor], Call]] = {}
        """What made a tensor that nothing has used yet, by the tensor's ``id``."""
        self._kept: list[Tensor] = []
        """Leaves: another tensor must not get their ``id``."""
        self.numbers = EscapedNumbers()

    def clear(self) -> None:
        """Let go of all that is not on the tape, when the trace is over."""
        self._seen.clear()
        self._written.clear()
        self._inside.clear()
        self._constructed.clear()

    def of(self, tensor: Tensor, call: Call) -> Value:
        """Return what a tensor holds now; ``call`` is about to use it."""
        self._take_in(tensor)
        seen = self._seen.get(id(tensor))
        if seen is None or seen[0]() is not tensor:
            return self._discover(tensor, call)
        _, written, value = seen
        same = written == self._version(tensor) and value.carries == tensor.requires_grad
        node = tensor.grad_fn
        if same and value.node is (None if node is None else key_of(node)):
            return value
        return self._discover(tensor, call, value)

    def of_root(self, root: Tensor | GradientEdge, call: Call) -> Value:
        """Return what a backward begins at, which ``call`` makes: a tensor, or the edge of one."""
        if isinstance(root, Tensor):
            return self.of(root, call)
        leaf = asked_leaf(root)
        if leaf is not None:
            return self.of(leaf, call)
        known = self._tape.at_node.get(key_of(root.node))
        return self._discover_node(root.node, call) if known is None else known

    def add(self, tensor: Tensor, call: Call) -> Value:
        """Take in a tensor that ``call`` made."""
        return self._remember(tensor, call, call.inputs)

    def add_constructed(self, tensor: Tensor, call: Call) -> None:
        """Take in a tensor that ``call`` made where no function mode looks.

        Some are once they are used: a subclass, which is not complete yet, and a parameter that may
        be to stand for one of the models, of which is not known yet for which.
        """
        kind = type(tensor)
        if kind is Tensor or (kind is nn.Parameter and not self._tape.keys.waits):
            self.add(tensor, call)
        else:
            self._constructed[id(tensor)] = weakref.ref(tensor), call

    def write(self, tensor: Tensor, call: Call) -> None:
        """Take in a tensor that ``call`` wrote to; others may be views of it."""
        base, (_, _, before) = _base(tensor), self._seen[id(tensor)]
        value = self.add(tensor, call)
        value.over = before
        self._written[id(base)] = weakref.ref(base), value

    def update_requires_grad(self, tensor: Tensor) -> None:
        """Take in a tensor whose ``requires_grad`` was set."""
        _, _, value = self._seen[id(tensor)]
        if tensor.requires_grad != value.carries:
            self._remember(tensor, value.made_by, [value])

    def add_inside(
        self, tensor: Tensor, given: Iterable[Tensor], function: str, chain: Chain
    ) -> None:
        """Take in what a custom function made of ``given``; ``chain``: who called the function."""
        parents: dict[int, Value] = {}
        for each in given:
            self._take_in(each)
            inside, seen = _of(self._inside, each), self._seen.get(id(each))
            values = [] if inside is None else inside.parents
            if seen is not None and seen[0]() is each:
                values = [*values, seen[2]]
            parents.update((id(value), value) for value in values)
        entry = Inside(function, chain, list(parents.values()))
        self._inside[id(tensor)] = weakref.ref(tensor), entry

    def escape(self, call: Call, made: Any) -> None:
        """Take in that values leave torch as numbers, an array or text, by ``call``."""
        self._tape.calls.append(call)
        value = Value(call, False, None, True, ())
        value.lost = [each for each in call.inputs if each.carries]
        value.plain = [each for each in call.inputs if not each.carries]
        call.outputs.append(value)
        self._tape.values.append(value)
        self._tape.escapes.append((value, call))
        self.numbers.add(made, value)

    def measure(self, tensor: Tensor, value: Value) -> None:
        """Measure a view, which else is as large as what it is a view of."""
        if value.size is None:
            value.size = measured(tensor)

    def note_entry(self, call: Call) -> None:
        """Take in that ``call`` is given numbers from the script."""
        self._tape.entries.append(Entry(call.chain, call.index, call.outputs))

    def _discover(self, tensor: Tensor, call: Call, earlier: Value | None = None) -> Value:
        """Find out what a tensor is of which no call was seen that made or changed it."""
        node = tensor.grad_fn
        part = None if node is not None else self._tape.keys.part_of(tensor)
        if part is not None:  # what put it together is no part of the step; what wrote to parts is
            seen = self._seen.get(id(part))
            written_by = None if seen is None or seen[0]() is not part else seen[2].made_by
            parents = [] if written_by is None else written_by.inputs
            return self._remember(tensor, written_by, parents)
        inside = _of(self._inside, tensor)
        chain = call.chain if inside is None else inside.chain
        made_by: Call | None = None
        if node is not None and key_of(node) not in self._tape.by_node:
            made_by = self._insert_maker(call, node, chain)
        base = _base(tensor)
        written = _of(self._written, base)
        parents = [value for value in (earlier, written) if value is not None]
        strange = node is None and not parents and _is_handful(tensor)
        if strange and self.numbers:
            parents = self.numbers.sources(tensor.detach().tolist())
            if parents:
                made_by = self._insert_before(call, "Tensor", chain)
        gradient = node is None and not parents and self._tape.gradients.has(tensor)
        if node is None and not parents and inside is not None:  # marked as not differentiable
            parents = inside.parents
            made_by = self._insert_before(call, inside.function, chain, custom=True)
        if made_by is None and parents:
            made_by = parents[-1].made_by
        value = self._remember(tensor, made_by, parents)
        value.is_gradient = gradient
        if strange and not parents and self._tape.escapes:
            self._tape.entries.append(Entry(chain, call.index, [value]))
        return value

    def _discover_node(self, node: Node, call: Call) -> Value:
        """Find out what a tensor was that is gone, and that no call was seen to make."""
        made_by = self._insert_maker(call, node, call.chain)
        value = Value(made_by, True, key_of(node), True, ())
        self._connect(value, node, made_by, [])
        made_by.outputs.append(value)
        self._tape.values.append(value)
        return value

    def _insert_maker(self, call: Call, node: Node, chain: Chain) -> Call:
        """Put on the tape, before ``call``, a call that was not seen and that made a node."""
        custom = isinstance(node, torch.autograd.function.BackwardCFunction)
        name = type(node).__name__
        name = name.removesuffix("Backward") if custom else name
        return self._insert_before(call, name, chain, custom=custom)

    def _insert_before(self, call: Call, name: str, chain: Chain, *, custom: bool = False) -> Call:
        """Put a call on the tape that was not seen, before the one that uses what it made."""
        inserted = Call(len(self._tape.calls), name, chain, call.module, None, custom=custom)
        self._tape.calls.append(inserted)
        call.index = inserted.index + 1
        return inserted

    def _remember(self, tensor: Tensor, call: Call | None, parents: list[Value]) -> Value:
        node = tensor.grad_fn
        value = Value(
            call,
            tensor.requires_grad,
            None if node is None else key_of(node),
            tensor.is_floating_point() or tensor.is_complex(),
            () if is_uninitialized(tensor) or tensor.is_nested else tuple(tensor.shape),
            inside_transform=is_inside_transform(tensor),
            sharded=is_sharded(tensor),
            dtype=tensor.dtype,
        )
        key = self._tape.keys.of(tensor)
        value.is_parameter = self._tape.keys.is_parameter(key)
        if node is not None:
            self._connect(value, node, call, parents)
        elif value.carries:
            value.leaf = key
            self._kept.append(tensor)
            self._tape.leaves.setdefault(key, []).append(value)
            if not value.is_parameter and key not in self._tape.unregistered:
                self._tape.unregistered[key] = tensor
                self._strange(tensor)
        elif value.is_parameter:
            self._tape.leaves.setdefault(key, []).append(value)
        flows = {id(each) for each in value.flows}
        others = [each for each in parents if id(each) not in flows]
        value.lost = [each for each in others if each.carries]
        value.plain = [each for each in others if not each.carries]
        if call is not None:
            call.outputs.append(value)
        if call is None and not parents and node is None:
            value.source = key
        # A view of what it was made of is as large as that: of one thing, not of several.
        mine = value.source is not None or value.leaf is not None or len(parents) > 1
        if mine or not is_view(tensor):
            value.size = measured(own_part(tensor))
        self._tape.values.append(value)
        self._seen[id(tensor)] = (weakref.ref(tensor), self._version(tensor), value)
        return value

    def _take_in(self, tensor: Tensor) -> None:
        """Take in a tensor that was constructed, and that is about to be used."""
        made_by = _of(self._constructed, tensor)
        if made_by is not None:
            del self._constructed[id(tensor)]
            keys = self._tape.keys
            if tensor.grad_fn is None and not keys.is_parameter(keys.of(tensor)):
                self.add(tensor, made_by)

    def _version(self, tensor: Tensor) -> int:
        """Return how often a tensor was written to, or the part that it is put together of."""
        part = self._tape.keys.part_of(tensor) if tensor.grad_fn is None else None
        return version(tensor) + (0 if part is None else version(part))

    def _connect(self, value: Value, node: Node, call: Call | None, parents: list[Value]) -> None:
        """Find what a value passes its gradient to, by the node that it came from."""
        value.flows, length = self._upstream(node, call, parents)
        value.depth = length + max((each.depth for each in value.flows), default=0)
        self._tape.full = self._tape.full or value.depth > DEEPEST
        self._tape.at_node.setdefault(value.node, value)

    def _upstream(
        self, node: Node, call: Call | None, parents: list[Value]
    ) -> tuple[list[Value], int]:
        """Find the values that a node passes its gradient to; count the new nodes in between."""
        tape = self._tape
        key = key_of(node)
        if tape.by_node.get(key, call) is not call and key in tape.at_node:
            return [v for v in parents if v.node is key] or [tape.at_node[key]], 0
        hits: dict[object, None] = {}
        leaves: dict[int, None] = {}
        pending, visited = [node], {key}
        while pending and len(visited) <= DEEPEST:
            current = pending.pop()
            if call is not None:
                tape.by_node.setdefault(key_of(current), call)
            for following, _ in current.next_functions:
                if following is None or (below := key_of(following)) in visited:
                    continue
                found = leaf_of(following)
                if found is not None:
                    leaf = tape.keys.of(found)
                    leaves[leaf] = None
                    if leaf not in tape.leaves:
                        self._remember(found, None, [])
                elif below in tape.at_node and tape.by_node.get(below) is not call:
                    hits[below] = None
                else:  # also what an earlier call made inside of itself, such as autocast's casts
                    visited.add(below)
                    pending.append(following)
        flows = [v for v in parents if v.node in hits or (v.leaf is not None and v.leaf in leaves)]
        for each in flows:
            hits.pop(each.node, None)
            if each.leaf is not None:
                leaves.pop(each.leaf, None)
        flows += [tape.at_node[hit] for hit in hits]
        flows += [tape.leaves[leaf][-1] for leaf in leaves if tape.leaves[leaf]]
        return flows, len(visited)


def _of(known: Mapping[int, tuple[weakref.ref[Tensor], T]], tensor: Tensor) -> T | None:
    """Return what is known of a tensor, and not of an earlier one that had its ``id``."""
    entry = known.get(id(tensor))
    return entry[1] if entry is not None and entry[0]() is tensor else None


def _base(tensor: Tensor) -> Tensor:
    base = base_of(tensor)
    return tensor if base is None else base


def version(tensor: Tensor) -> int:
    """Return how often a tensor was written to; 0 for one of inference mode, which has no count."""
    return 0 if tensor.is_inference() else versions.version(tensor)


def _is_handful(tensor: Tensor) -> bool:
    """Return whether a tensor is one to read numbers from: few, and no wait for a device."""
    few = tensor.device.type == "cpu" and tensor.is_floating_point() and 0 < tensor.numel() <= 16
    return few and not (wraps_others(tensor) or is_freed(tensor))
