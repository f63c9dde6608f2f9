"""Parameters that a step used and that no model has registered, such as those in a plain list."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ..base.guard import Guard
from .case import Finding
from .dataflow import Dataflow
from .missing_causes import NotInOptimizer
from .modules import ModuleIndex
from .tape import Call, Tape

LONGEST = 1000
"""Entries above which a container is left alone."""
DEEPEST = 5
"""Containers in one another that are looked into: one may hold itself."""
_OF_MODULES = frozenset(vars(nn.Module()))
"""Attributes in which each module has what is registered, and its hooks."""


@dataclass(frozen=True)
class Unregistered:
    """A parameter in a plain attribute, or in a plain container, of a module."""

    name: str
    """Its attribute path."""
    key: int
    """``id`` of the tensor."""
    container: str
    """The type of what holds it; ``tensor`` for one that is an attribute itself."""

    def finding(self, tape: Tape, dataflow: Dataflow) -> Finding | None:
        """Say so, if it reaches the loss in vain."""
        values = tape.leaves.get(self.key, [])
        if values and values[0].made_by is not None:  # the step itself made it
            return None
        way = dataflow.way(values)
        call = _first_use(tape, self.key)
        if not way or call is None or not dataflow.reaches(values):
            return None
        return NotInOptimizer.not_registered(self.name, call, self.container, way)


def find_unregistered(
    tape: Tape, modules: ModuleIndex, in_optimizer: Collection[int], guard: Guard
) -> list[Unregistered]:
    """Find where the models hold what the step used as a parameter and no model has registered.

    ``in_optimizer``: ``id`` of every parameter that an optimizer holds; those are well.
    """
    wanted = tape.unregistered.keys() - set(in_optimizer)
    found: dict[int, Unregistered] = {}
    for path, module in modules.modules.items() if wanted else ():
        for attribute, value in _own_attributes(module):
            with guard:  # a container of the script's own may fail when it is read
                name = f"{path}.{attribute}" if path else attribute
                for each in _held(value, name, private=attribute.startswith("_")):
                    if each.key in wanted:
                        found.setdefault(each.key, each)
    return list(found.values())


def unregistered_modules(model: nn.Module) -> Iterator[nn.Module]:
    """Yield the modules that a model has in plain containers."""
    for module in model.modules():
        for attribute, value in _own_attributes(module):
            if isinstance(value, (list, tuple, dict)):
                held = (item for _, item in _entries(value, attribute))
                yield from (item for item in held if isinstance(item, nn.Module))


def _own_attributes(module: nn.Module) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in vars(module).items() if name not in _OF_MODULES]


def _held(value: Any, name: str, *, private: bool) -> Iterator[Unregistered]:
    """Yield the tensor that an attribute is, or every one in the container that it is.

    A tensor that is ``private`` is the module's own business; layers in a list are not.
    """
    if isinstance(value, Tensor) and not private:
        yield Unregistered(name, id(value), "tensor")
    if isinstance(value, (list, tuple, dict)):
        for start, item in _entries(value, name):
            if private and not isinstance(item, nn.Module):
                continue
            for tail, tensor in _parameters(item):
                yield Unregistered(f"{start}{tail}", id(tensor), type(value).__name__)


def _entries(
    container: Sequence[Any] | Mapping[Any, Any], name: str, depth: int = 1
) -> Iterator[tuple[str, Any]]:
    items = container.items() if isinstance(container, Mapping) else enumerate(container)
    for i, (key, item) in enumerate(items):
        if i >= LONGEST:
            return
        if isinstance(item, (list, tuple, dict)):
            if depth < DEEPEST:
                yield from _entries(item, f"{name}[{key!r}]", depth + 1)
        else:
            yield f"{name}[{key!r}]", item


def _parameters(item: Any) -> Iterator[tuple[str, Tensor]]:
    if isinstance(item, nn.Module):
        for name, parameter in item.named_parameters():
            yield f".{name}", parameter
    elif isinstance(item, Tensor):
        yield "", item


def _first_use(tape: Tape, key: int) -> Call | None:
    for call in tape.calls:
        if any(value.leaf == key for value in call.inputs):
            return call
    return None
