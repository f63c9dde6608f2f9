"""Custom autograd functions that a traced step applied, and what they were given."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.autograd import Function

from ..base.guard import Guard
from ..base.source import Callers, Chain, Place, defined_at
from ..model.graph_walk import key_of, leaf_of
from ..torch_compat.custom_functions import CustomFunctions
from ..torch_compat.tensors import is_inside_transform
from .leaf_keys import LeafKeys

_OWN = __name__.rpartition(".")[0].rpartition(".")[0]
MOST_ALIKE = 2
"""Calls of one function at one line that are kept: a layer may apply it a thousand times."""


@dataclass(frozen=True, eq=False)
class Applied:
    """A call of ``apply``, with copies of what it was given."""

    function: type[Function]
    given: tuple[Any, ...]
    """Tensors are copies without a past, which want a gradient where the originals did."""
    sources: tuple[object, ...]
    """By place in ``given``: the key of the node that a tensor came from, or of a leaf; None for
    what wants no gradient."""
    node: object
    """The key of its own node."""
    chain: Chain
    in_place: bool
    """It wrote to what it was given, so that the copies are of another time."""

    def name_of(self, position: int) -> str:
        """Return the name of an input, as the forward of the function has it."""
        names = list(inspect.signature(self.function.forward).parameters)
        if self.function.setup_context is Function.setup_context:
            names = names[1:]  # without ctx
        return names[position] if position < len(names) else f"input {position}"

    @property
    def backward_at(self) -> Place | None:
        """The line of its ``def backward``."""
        backward = self.function.backward
        if backward is Function.backward:
            backward = self.function.vjp
        code = getattr(inspect.unwrap(backward), "__code__", None)
        return None if code is None else defined_at(code)


class AppliedFunctions:
    """Keeps the calls of custom functions that are not torch's own, while a step is traced."""

    def __init__(self, guard: Guard, keys: LeafKeys) -> None:
        self._guard = guard
        self._keys = keys
        self._callers = Callers()
        self._functions = CustomFunctions(self._note)
        self._counts: Counter[tuple[type[Function], Place | None]] = Counter()
        self.calls: list[Applied] = []

    def __enter__(self) -> AppliedFunctions:
        self._functions.start(self._guard)
        return self

    def __exit__(self, *_: object) -> None:
        self._functions.stop()

    def _note(self, function: type[Function], node: Any, given: tuple[Any, ...], made: Any) -> None:
        with self._guard:
            kind = function, self._callers.chain().place
            if function.__module__.startswith(_OWN) or self._counts[kind] >= MOST_ALIKE:
                return
            sources = tuple(map(self._source, given))
            inside = any(is_inside_transform(each) for each in _tensors(given))
            if inside or all(source is None for source in sources):
                return
            self._counts[kind] += 1
            outputs = list(_tensors(made if isinstance(made, tuple) else (made,)))
            wrote = any(each is other for each in outputs for other in given)
            copies = tuple(map(_copied, given))
            key, chain = key_of(node), self._callers.chain()
            self.calls.append(Applied(function, copies, sources, key, chain, wrote))

    def _source(self, value: Any) -> object:
        if not isinstance(value, Tensor) or not value.requires_grad:
            return None
        if value.grad_fn is None:
            return self._keys.of(value)
        leaf = leaf_of(value.grad_fn)
        return key_of(value.grad_fn) if leaf is None else self._keys.of(leaf)


def _tensors(values: Iterable[Any]) -> Iterable[Tensor]:
    return (each for each in values if isinstance(each, Tensor))


def _copied(value: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    return value.detach().clone().requires_grad_(value.requires_grad)
