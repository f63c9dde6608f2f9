"""The parameters whose gradients are reduced over the ranks: gated once they are."""

from __future__ import annotations

import math
import weakref
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..measure.local_part import local_part
from ..measure.write_tracker import MARK
from ..model.table import ParameterTable
from ..torch_compat.ddp import joins, parameters_of
from ..torch_compat.fsdp import ShardedGroups
from ..torch_compat.process_group import in_process_group, world_size
from ..torch_compat.versions import version
from ..torch_compat.wrappers import Wrappers


class ReducedParameters:
    """Knows which gradients a reducer makes, and which of them a backward has made just now.

    A reducer waits for the gradient of each of its parameters, in every backward: nothing may be
    cut off from it before, and it makes zeros where nothing came. Before it is done each rank
    has a gradient of its own batch alone.
    """

    def __init__(
        self, models: Mapping[str, nn.Module], table: ParameterTable, wrappers: Wrappers
    ) -> None:
        self._models = models
        self._table = table
        self._wrappers = wrappers
        self._reducers: dict[int, list[DistributedDataParallel]] = {}
        """Those that average a parameter's gradient; none of one that is sharded."""
        self._averaging: list[DistributedDataParallel] = []
        self._sharded = ShardedGroups({})
        self._synchronizing: dict[int, bool] = {}
        self._taken: dict[int, _Taken | None] = {}
        self.gated: set[int] = set()
        """Those whose gradient was gated in the present step."""

    def follow(self) -> None:
        """Take in what wraps the models now; to be called between a step and a forward."""
        self._reducers, self._averaging, self._sharded = {}, [], ShardedGroups({})
        if not in_process_group():
            return
        self._averaging = self._wrappers.reducing(self._table.parameters)
        for wrapper in self._averaging:
            for index in self._table.indexes(parameters_of(wrapper)):
                self._reducers.setdefault(index, []).append(wrapper)
        self._sharded = ShardedGroups(self._models)
        for index in self._table.indexes(self._sharded.parameters()):
            self._reducers[index] = []

    def __contains__(self, index: object) -> bool:
        return index in self._reducers

    def wait_for(self, indexes: Iterable[int]) -> bool:
        """Return whether a reducer waits for the gradient of one of the parameters."""
        return any(self._reducers.get(index) for index in indexes)

    def uneven(self) -> bool:
        """Return whether a rank may have run out of data, and takes no part in what follows."""
        return any(map(joins, self._averaging))

    def makes_zeros(self, index: int) -> bool:
        """Return whether zeros are made for a parameter to which nothing came."""
        return bool(self._reducers.get(index))

    def agree(self, lists: Sequence[Collection[int]]) -> set[int]:
        """Return the parameters whose gradient is nothing, by those of which each rank says so.

        A rank that does not use a module does not know that its gate was closed: of what is alike
        on all ranks one is enough. Of what is sharded each knows its own part only.
        """
        said = {index for of_one in lists for index in of_one}
        everywhere = {index for index in said if all(index in of_one for of_one in lists)}
        return {index for index in said if self._reducers.get(index) != []} | everywhere

    def stand_ins(self) -> dict[int, int]:
        """Return the sharded parameters by the ``id`` of the whole ones that a forward uses."""
        return {
            id(whole): index
            for whole, part in self._sharded.wholes()
            for index in self._table.indexes([part])
        }

    def copies(self, index: int | None) -> int | None:
        """Return how many ranks have the same part of a sharded gradient; None of a whole one."""
        if index is None or self._reducers.get(index) != []:
            return None
        parameter: Any = self._table.parameters[index]
        mesh, placements = parameter.device_mesh, parameter.placements
        alike = [int(mesh.size(dim)) for dim, each in enumerate(placements) if each.is_replicate()]
        return math.prod(alike)

    def step_begins(self, indexes: Iterable[int]) -> None:
        """Forget the step before; the forward of a compiled model will not be seen."""
        self.gated.clear()
        self._synchronizing.clear()
        for index in indexes:
            self.take(index)

    def forward_begins(self, indexes: Iterable[int]) -> None:
        """Keep what tells the coming gradients of some parameters from those that are there."""
        for index in indexes:
            self._synchronizing[index] = self._synchronizes(index)
            self.take(index)

    def came(self, index: int) -> bool:
        """Return whether the backward that has ended has reduced a parameter's gradient."""
        known = self._synchronizing.get(index)
        if not (self._synchronizes(index) if known is None else known):
            return False
        grad, taken = self._table.parameters[index].grad, self._taken.get(index)
        if grad is None or taken is None:
            return grad is not None
        if taken.grad() is not grad:
            return True
        return taken.writes != _writes(grad) and not taken.has_values_of(grad)

    def take(self, index: int) -> None:
        """Take the gradient that a parameter has now for one that did not come just now.

        What else is written to its buffer counts as a write to it, too: so its values are kept
        where it was gated, and would be gated once more. Others of a step are gated but once.
        """
        grad = self._table.parameters[index].grad
        taken = self._taken.get(index)
        if grad is None:
            self._taken[index] = None
            return
        writes = _writes(grad)
        if taken is None or taken.grad() is not grad or taken.writes != writes:
            taken = _Taken(weakref.ref(grad), writes)
        if index in self.gated and taken.values is None and _lies_among_others(grad):
            taken = replace(taken, values=_values(grad).clone())
        self._taken[index] = taken

    def waits(self, index: int) -> bool:
        """Return whether a parameter has a gradient that is not from an earlier step."""
        grad = self._table.parameters[index].grad
        mark = None if grad is None else grad.__dict__.get(MARK)
        return grad is not None and (mark is None or version(grad) != mark)

    def arrived(self, index: int) -> Tensor | None:
        """Return the gradient of a parameter, of a sharded one this rank's part."""
        grad = self._table.parameters[index].grad
        return grad if grad is None or grad.is_sparse else _values(grad)

    def replace(self, index: int, passed: Tensor | None) -> None:
        """Give a parameter what a gate lets pass of what has :meth:`arrived`."""
        parameter = self._table.parameters[index]
        with torch.no_grad():
            if passed is None or parameter.grad is None or parameter.grad.is_sparse:
                parameter.grad = passed
            else:  # it may be a part of the reducer's own memory
                local_part(parameter.grad).copy_(passed)

    def _synchronizes(self, index: int) -> bool:
        return all(wrapper.require_backward_grad_sync for wrapper in self._reducers[index])


@dataclass(frozen=True)
class _Taken:
    """A gradient that is known, and is not kept from being freed."""

    grad: weakref.ref[Tensor]
    writes: int
    values: Tensor | None = None
    """Its elements as they were, where they may have to tell whether they were written to."""

    def has_values_of(self, grad: Tensor) -> bool:
        """Return whether a gradient is what it was, for all that is known.

        A reducer averages what has not come, too: n times the n-th part is not quite the whole.
        """
        if self.values is None:
            return False
        values = _values(grad)
        rounding = world_size() * torch.finfo(values.dtype).eps
        return torch.allclose(self.values, values, rtol=rounding, atol=0.0, equal_nan=True)


def _values(grad: Tensor) -> Tensor:
    with torch.no_grad():
        return local_part(grad.detach())


def _lies_among_others(grad: Tensor) -> bool:
    """Return whether a gradient is a part of a larger buffer."""
    if grad.is_sparse:
        return False
    values = _values(grad)
    return values.untyped_storage().nbytes() > values.numel() * values.element_size()


def _writes(grad: Tensor) -> int:
    if grad.is_sparse:  # a sum of sparse ones is another tensor
        return 0
    with torch.no_grad():
        return version(local_part(grad))
