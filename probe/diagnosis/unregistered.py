"""Parameters that a step used and that no model has registered, such as those in a plain list."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from .case import Finding
from .causes import NotInOptimizer
from .dataflow import Dataflow
from .modules import ModuleIndex
from .tape import Call, Tape

LONGEST = 1000
"""Entries above which a container is left alone."""


def find_unregistered(
    tape: Tape, dataflow: Dataflow, modules: ModuleIndex, in_optimizer: Collection[int]
) -> dict[str, Finding]:
    """By attribute path: each parameter in a plain container that reaches the loss in vain.

    ``in_optimizer``: ``id`` of every parameter that an optimizer holds; those are well.
    """
    wanted = {key: held for key, held in tape.unregistered.items() if key not in in_optimizer}
    if not wanted:
        return {}
    found: dict[str, Finding] = {}
    for name, tensor, container in _held(modules.modules):
        if wanted.pop(id(tensor), None) is None:
            continue
        values = tape.leaves.get(id(tensor), [])
        if values and values[0].made_by is not None:  # the step itself made it
            continue
        way = dataflow.way(values)
        call = _first_use(tape, id(tensor))
        if way and call is not None and dataflow.reaches(values):
            found[name] = NotInOptimizer.not_registered(name, call, container, way)
    return found


def _held(modules: Mapping[str, nn.Module]) -> Iterator[tuple[str, Tensor, str]]:
    """Every tensor that modules have as a plain attribute, or in a container."""
    for path, module in modules.items():
        for attribute, value in vars(module).items():
            if attribute.startswith("_"):
                continue
            start = f"{path}.{attribute}" if path else attribute
            if isinstance(value, Tensor):
                yield start, value, "tensor"
            if isinstance(value, (list, tuple, dict)):
                for name, held in _entries(value, start):
                    for tail, tensor in _parameters(held):
                        yield f"{name}{tail}", tensor, type(value).__name__


def _entries(container: Sequence[Any] | Mapping[Any, Any], name: str) -> Iterator[tuple[str, Any]]:
    items = container.items() if isinstance(container, Mapping) else enumerate(container)
    for i, (key, held) in enumerate(items):
        if i >= LONGEST:
            return
        if isinstance(held, (list, tuple, dict)):
            yield from _entries(held, f"{name}[{key!r}]")
        else:
            yield f"{name}[{key!r}]", held


def _parameters(held: Any) -> Iterator[tuple[str, Tensor]]:
    if isinstance(held, nn.Module):
        for name, parameter in held.named_parameters():
            yield f".{name}", parameter
    elif isinstance(held, Tensor):
        yield "", held


def _first_use(tape: Tape, key: int) -> Call | None:
    for call in tape.calls:
        if any(value.leaf == key for value in call.inputs):
            return call
    return None
