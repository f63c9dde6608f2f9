"""What a traced step did: which call made which value out of which, and where gradient went."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..base.source import Chain, Place
from ..measure.magnitude import read
from .gradient_log import GradientLog
from .leaf_keys import LeafKeys
from .tensor_hooks import TensorHooks


@dataclass(eq=False)
class Call:
    """A call of a torch function, or of something that autograd alone has seen."""

    index: int
    """In the order of time."""
    name: str
    """``linear``, ``detach``, ``__setitem__``; the class of a custom autograd function."""
    chain: Chain
    module: str | None
    """The path of the innermost module that was running; None outside of all."""
    switched_off: Switch | None
    """What had switched gradients off, if they were off."""
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    custom: bool = False
    """A custom autograd function."""
    number: float | None = None
    """What it multiplies by, where that is a number of the script's."""
    smooth: bool = False
    """A division by a number, or a power with a whole one: finite wherever its input is."""

    @property
    def place(self) -> Place | None:
        """The line that made the call."""
        return self.chain.place


@dataclass(eq=False, frozen=True)
class Switch:
    """Where gradients were switched off; without a chain, before the trace."""

    chain: Chain | None
    by: str
    """``no_grad`` or ``inference_mode``."""


@dataclass(frozen=True)
class Switching:
    """Where ``requires_grad`` of a tensor was set."""

    on: bool
    chain: Chain
    index: int
    """Of the next call on the tape."""
    backwards: int
    """How many backwards there were before."""


@dataclass(eq=False)
class Value:
    """What a tensor held from one write to the next.

    Its many fields are one record: how the tensor was, what made it, and its edges in the flow.
    """

    made_by: Call | None
    """None: it was there before, or torch made it out of nothing that it knows."""
    carries: bool
    """Whether a gradient can flow back to it."""
    node: object | None
    """The key of the node of the autograd graph that it came from; None for a leaf."""
    floating: bool
    shape: tuple[int, ...]
    inside_transform: bool = False
    """It is a tensor inside of ``vmap``, ``grad`` or another transform of ``torch.func``."""
    sharded: bool = False
    """Other ranks hold parts of it, and what it is made of is not all to be seen here."""
    flows: list[Value] = field(default_factory=list)
    """What it was made from, and passes its gradient on to."""
    lost: list[Value] = field(default_factory=list)
    """What it was made from, that could carry a gradient and gets none from here."""
    plain: list[Value] = field(default_factory=list)
    """What it was made from, that carries no gradient."""
    over: Value | None = None
    """What the tensor held before this was written into it."""
    leaf: int | None = None
    """The key of the tensor, for a leaf of the autograd graph that requires gradient."""
    is_gradient: bool = False
    """It was the ``.grad`` of a parameter when it was used first."""
    is_parameter: bool = False
    """A parameter of the models holds it."""
    source: int | None = None
    """The key of the tensor, for what was there before the step."""
    depth: int = 0
    """Nodes of the autograd graph in a row below it, at most."""
    dtype: torch.dtype | None = None
    size: float | Tensor | None = None
    """The largest magnitude in it: 0, a number, inf or nan; a tensor until it is read."""


def size_of(value: Value) -> float | None:
    """Return the largest magnitude in a value; a view has that of what it is a view of."""
    seen: set[int] = set()
    while value.size is None and id(value) not in seen:
        seen.add(id(value))
        parents = [*value.flows, *value.lost, *value.plain]
        if len(parents) != 1:
            return None
        value = parents[0]
    return value.size if isinstance(value.size, float) else None


@dataclass(eq=False)
class BackwardCall:
    """A call of ``backward`` or ``autograd.grad``."""

    call: Call
    """Its outputs are the gradients that it returned."""
    roots: list[Value]
    only: frozenset[int] | None
    """The keys of the leaves it was restricted to, if it was."""
    returns: bool = False
    """It returns the gradients, as ``autograd.grad`` does, instead of storing them."""

    @property
    def chain(self) -> Chain:
        """The line that called it."""
        return self.call.chain


@dataclass(eq=False, frozen=True)
class Entry:
    """Numbers that came into torch from the script, and that were in no tensor before."""

    chain: Chain
    index: int
    """The number of calls that were made before."""
    values: list[Value]
    """What they went into."""


@dataclass
class Tape:
    """All of a traced step."""

    keys: LeafKeys = field(default_factory=LeafKeys)
    """What leaves and parameters are known by."""
    calls: list[Call] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    leaves: dict[int, list[Value]] = field(default_factory=dict)
    """By the key of the leaf; several when it was written to in between."""
    backwards: list[BackwardCall] = field(default_factory=list)
    escapes: list[tuple[Value, Call]] = field(default_factory=list)
    """What left torch as numbers, and by which call."""
    entries: list[Entry] = field(default_factory=list)
    """Where other numbers came in, once some had left."""
    gradients: GradientLog = field(default_factory=GradientLog)
    hooks: TensorHooks = field(default_factory=TensorHooks)
    switches: dict[int, list[Switching]] = field(default_factory=dict)
    """By the key of the leaf: where ``requires_grad`` was set."""
    labels: dict[str, Chain] = field(default_factory=dict)
    """Where ``probe.site`` was called, by label."""
    by_node: dict[object, Call] = field(default_factory=dict)
    """Which call made a node of the autograd graph, by the node's key."""
    at_node: dict[object, Value] = field(default_factory=dict)
    """The value that came out of a node first; nodes inside of a call have none."""
    unregistered: dict[int, Any] = field(default_factory=dict)
    """Parameters that were used and that no model has, by ``id``."""
    full: bool = False
    """The step was too long, or its graph too deep; what came after that is missing."""

    def read_sizes(self) -> None:
        """Read the sizes of all values; they are tensors until then."""
        values = [value for value in self.values if isinstance(value.size, Tensor)]
        sizes = read(value.size for value in values if isinstance(value.size, Tensor))
        for value, size in zip(values, sizes, strict=True):
            value.size = size
        self.gradients.read_sizes()

    def clear(self) -> None:
        """Let go of everything at once: calls and values hold each other, and the graph."""
        for call in self.calls:
            call.inputs.clear()
            call.outputs.clear()
        for value in self.values:
            value.made_by = value.node = value.over = None
            value.flows, value.lost, value.plain = [], [], []
        for listed in (self.calls, self.values, self.backwards, self.escapes, self.entries):
            listed.clear()
        for known in (self.leaves, self.by_node, self.at_node, self.unregistered):
            known.clear()
        self.gradients.clear()
        self.hooks.clear()
