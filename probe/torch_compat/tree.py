"""Tensors inside what modules take and return.

Pytrees have no public face in Python: ``torch.utils._pytree`` was seen in torch 2.8 to 2.15.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import fields, is_dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .parts import FREEZING, GATING, Part

DEEPEST = 3
"""How far inside an object tensors are looked for: it may hold on to anything."""
LONGEST = 1000
"""Entries above which a container that an object holds is left alone, such as a vocabulary."""

_Put: TypeAlias = Callable[[Any, Any, Any], None]
_Change: TypeAlias = tuple[_Put, Any, Any]
"""How, where and what to put into an object."""

_OTHERWISE = "tensors are found in tuples, lists, dicts and objects only"
_FLATTEN = Part(
    "torch.utils._pytree.tree_flatten", otherwise=_OTHERWISE, needed_for=(FREEZING, GATING)
)
_UNFLATTEN = Part(
    "torch.utils._pytree.tree_unflatten", otherwise=_OTHERWISE, needed_for=(FREEZING, GATING)
)
_MAP_ONLY = Part(
    "torch.utils._pytree.tree_map_only", otherwise=_OTHERWISE, needed_for=(FREEZING, GATING)
)
PARTS = (_FLATTEN, _UNFLATTEN, _MAP_ONLY)

# Bound to names of the module: Dynamo traces the calls of these.
tree_flatten: Callable[[Any], tuple[list[Any], Any]] = _FLATTEN.or_else(
    lambda nested: ([nested], None)
)
tree_unflatten: Callable[[list[Any], Any], Any] = _UNFLATTEN.or_else(lambda leaves, _: leaves[0])
tree_map_only: Callable[..., Any] = _MAP_ONLY.or_else(lambda _, __, nested: nested)

_LEFT_ALONE = (nn.Module, Optimizer, type, str, bytes, int, float, type(None))


def map_tensors(function: Callable[[Tensor], Tensor], nested: Any, *, keep: bool = False) -> Any:
    """Return ``nested`` with every tensor replaced by ``function`` of it.

    Tuples, lists, dicts and what else is registered as a pytree are made anew where a tensor
    in them was replaced; an object of another kind (a dataclass, a distribution, a kind of
    dict) keeps its identity and has the tensors replaced that it holds, or that its containers
    and objects hold, three deep. ``keep``: such objects are left as they are, and copies
    of them have the replaced tensors.
    """
    if torch.compiler.is_compiling():  # the rest is not for Dynamo to trace
        return tree_map_only(Tensor, function, nested)
    held, structure = tree_flatten(nested)
    mapper = _Mapper(function, keep)
    mapped = [mapper.map(value, 0) for value in held]
    if all(new is old for new, old in zip(mapped, held, strict=True)):
        return nested
    return tree_unflatten(mapped, structure)


class _Mapper:
    """Maps what pytree takes for a leaf, or what such an object holds."""

    def __init__(self, function: Callable[[Tensor], Tensor], keep: bool) -> None:
        self._function = function
        self._keep = keep

    def map(self, value: Any, depth: int) -> Any:
        """Return ``value`` with its tensors replaced: a tensor, an object, a container."""
        if isinstance(value, Tensor):
            # Deep inside, a parameter is what somebody keeps, not what a module returns.
            kept = depth > 1 and isinstance(value, nn.Parameter)
            return value if kept else self._function(value)
        if depth > DEEPEST or isinstance(value, _LEFT_ALONE):
            return value
        if isinstance(value, tuple):
            return self._map_tuple(value, depth)
        changes: list[_Change] = []
        if isinstance(value, dict) and len(value) <= LONGEST:
            changes += self._changes(depth, dict.items(value), dict.__setitem__)
        if isinstance(value, list) and len(value) <= LONGEST:
            changes += self._changes(depth, enumerate(value), list.__setitem__)
        attributes = getattr(value, "__dict__", {})
        changes += self._changes(depth, attributes.items(), _set_attribute)
        if is_dataclass(value):
            slots = [(f.name, getattr(value, f.name, None)) for f in fields(value)]
            slotted = [(name, held) for name, held in slots if name not in attributes]
            changes += self._changes(depth, slotted, object.__setattr__)
        if not changes:
            return value
        changed = copy(value) if self._keep else value
        for put, key, new in changes:
            put(changed, key, new)
        return changed

    def _map_tuple(self, value: Any, depth: int) -> Any:
        mapped = [self.map(held, depth + 1) for held in value[:LONGEST]]
        if all(new is old for new, old in zip(mapped, value, strict=False)):
            return value
        mapped += value[LONGEST:]
        return value._make(mapped) if hasattr(value, "_make") else type(value)(mapped)

    def _changes(self, depth: int, held: Iterable[tuple[Any, Any]], put: _Put) -> list[_Change]:
        return [
            (put, key, new)
            for key, old in list(held)
            if (new := self.map(old, depth + 1)) is not old
        ]


def _set_attribute(value: Any, name: str, new: Any) -> None:
    value.__dict__[name] = new


def tensors_in(nested: Any) -> list[Tensor]:
    """Return the tensors inside ``nested``, as :func:`map_tensors` finds them."""
    found: list[Tensor] = []

    def collect(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    map_tensors(collect, nested)
    return found
