"""Tensors inside what modules take and return."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils._pytree import tree_map, tree_map_only

DEEPEST = 3
"""How far inside an object tensors are looked for: it may hold on to anything."""
LONGEST = 1000
"""Entries above which a container that an object holds is left alone, such as a vocabulary."""

_LEFT_ALONE = (nn.Module, Optimizer, type, str, bytes, int, float, type(None))


def map_tensors(function: Callable[[Tensor], Tensor], nested: Any) -> Any:
    """Return ``nested`` with every tensor replaced by ``function`` of it.

    Tuples, lists, dicts and what else is registered as a pytree are made anew; an object of
    another kind (a dataclass, a distribution, a kind of dict) keeps its identity and has the
    tensors replaced that it holds, or that its containers and objects hold, three deep.
    """
    if torch.compiler.is_compiling():  # the rest is not for Dynamo to trace
        return tree_map_only(Tensor, function, nested)
    return tree_map(lambda value: _map_leaf(function, value), nested)


def _map_leaf(function: Callable[[Tensor], Tensor], value: Any, depth: int = 0) -> Any:
    """Map what pytree takes for a leaf, or what such an object holds: in place."""
    if isinstance(value, Tensor):
        # Deep inside, a parameter is what somebody keeps, not what a module returns.
        kept = depth > 1 and isinstance(value, nn.Parameter)
        return value if kept else function(value)
    if depth > DEEPEST or isinstance(value, _LEFT_ALONE):
        return value
    if isinstance(value, tuple):
        return _map_tuple(function, value, depth)
    if isinstance(value, dict) and len(value) <= LONGEST:
        _replace(function, depth, dict.items(value), partial(dict.__setitem__, value))
    if isinstance(value, list) and len(value) <= LONGEST:
        _replace(function, depth, enumerate(value), partial(list.__setitem__, value))
    attributes = getattr(value, "__dict__", {})
    _replace(function, depth, attributes.items(), attributes.__setitem__)
    if is_dataclass(value):
        slots = [(f.name, getattr(value, f.name, None)) for f in fields(value)]
        slotted = [(name, held) for name, held in slots if name not in attributes]
        _replace(function, depth, slotted, partial(object.__setattr__, value))
    return value


def _map_tuple(function: Callable[[Tensor], Tensor], value: Any, depth: int) -> Any:
    mapped = [_map_leaf(function, held, depth + 1) for held in value[:LONGEST]]
    if all(new is old for new, old in zip(mapped, value, strict=False)):
        return value
    mapped += value[LONGEST:]
    return value._make(mapped) if hasattr(value, "_make") else type(value)(mapped)


def _replace(
    function: Callable[[Tensor], Tensor],
    depth: int,
    held: Iterable[tuple[Any, Any]],
    put: Callable[[Any, Any], None],
) -> None:
    for key, old in list(held):
        if (new := _map_leaf(function, old, depth + 1)) is not old:
            put(key, new)


def tensors_in(nested: Any) -> list[Tensor]:
    """The tensors inside ``nested``, as :func:`map_tensors` finds them."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    map_tensors(note, nested)
    return found
