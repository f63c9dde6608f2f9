"""Parameters that a step used and that no model has registered, such as those in a plain list."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

from torch import Tensor, nn

from ..base.guard import Guard
from ..torch_compat.fsdp import is_flat
from .case import Finding
from .dataflow import Dataflow
from .missing_causes import NotInOptimizer
from .modules import ModuleIndex
from .tape import Call, Tape

LONGEST = 1000
"""Entries of an attribute, and of the containers in it, that are looked at."""
_OF_MODULES = frozenset(vars(nn.Module()))
"""Attributes in which each module has what is registered, and its hooks."""

Keys = tuple[object, ...]
"""The way to something in a container: from each container in another the index or the key."""


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

    ``in_optimizer``: ``id`` of every parameter that an optimizer holds; those are well. So is what
    FSDP1 has made of several, which the models have.
    """
    flat = {key for key, parameter in tape.unregistered.items() if is_flat(parameter)}
    wanted = tape.unregistered.keys() - set(in_optimizer) - flat
    found: dict[int, Unregistered] = {}
    for path, module in modules.modules.items() if wanted else ():
        for attribute, value in _own_attributes(module):
            with guard:  # what is read is the script's
                for keys, kind, tail, tensor in _tensors(value, attribute.startswith("_")):
                    if id(tensor) in wanted:
                        name = f"{_named(path, attribute, keys)}{tail}"
                        found.setdefault(id(tensor), Unregistered(name, id(tensor), kind))
    return list(found.values())


def unregistered_layers(modules: Mapping[str, nn.Module]) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules that some have in plain containers, with their attribute paths.

    ``modules``: by path, those in one another included.
    """
    for path, module in modules.items():
        for attribute, value in _own_attributes(module):
            for keys, item in _entries(value):
                if issubclass(type(item), nn.Module):
                    yield _named(path, attribute, keys), item


def _own_attributes(module: nn.Module) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in vars(module).items() if name not in _OF_MODULES]


def _named(path: str, attribute: str, keys: Keys) -> str:
    name = f"{path}.{attribute}" if path else attribute
    return name + "".join(f"[{_key(each)}]" for each in keys)


def _key(key: object) -> str:
    return repr(key) if type(key) in (str, int, float, bool) else f"<{type(key).__name__}>"


def _tensors(value: Any, private: bool) -> Iterator[tuple[Keys, str, str, Tensor]]:
    """Yield the tensor that an attribute is, or every one in the container that it is.

    Each with the way to what holds it, the kind of that, and its name there. A tensor that is
    ``private`` is the module's own business; layers in a list are not.
    """
    if isinstance(value, Tensor) and not private:
        yield (), "tensor", "", value
    for keys, item in _entries(value):
        if issubclass(type(item), nn.Module):
            for name, parameter in item.named_parameters():
                yield keys, type(value).__name__, f".{name}", parameter
        elif issubclass(type(item), Tensor) and not private:
            yield keys, type(value).__name__, "", item


def _entries(value: object) -> Iterator[tuple[Keys, Any]]:
    """Yield what is in a list, a tuple or a dict, and in those in it, with the way there.

    No code of the script's runs for it: a subclass may do anything as it is read.
    """
    seen = {id(value)}
    waiting: deque[tuple[Keys, object]] = deque([((), value)])
    left = LONGEST
    while waiting and left > 0:
        keys, container = waiting.popleft()
        for key, item in _items(container, left):
            left -= 1
            if not _is_container(item):
                yield (*keys, key), item
            elif id(item) not in seen:
                seen.add(id(item))
                waiting.append(((*keys, key), item))


def _is_container(value: object) -> bool:
    return issubclass(type(value), (list, tuple, dict))


def _items(value: object, most: int) -> list[tuple[object, Any]]:
    kind = type(value)
    if issubclass(kind, dict):
        return list(islice(dict.items(cast("dict[object, Any]", value)), most))
    if issubclass(kind, list):
        return list(enumerate(islice(list.__iter__(cast("list[Any]", value)), most)))
    if issubclass(kind, tuple):
        return list(enumerate(islice(tuple.__iter__(cast("tuple[Any, ...]", value)), most)))
    return []


def _first_use(tape: Tape, key: int) -> Call | None:
    for call in tape.calls:
        if any(value.leaf == key for value in call.inputs):
            return call
    return None
