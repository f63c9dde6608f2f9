"""The parameters whose gradients are reduced over the ranks: gated once they are."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..measure.local_part import local_part
from ..measure.write_tracker import MARK
from ..model.table import ParameterTable
from ..torch_compat.ddp import parameters_of
from ..torch_compat.fsdp import ShardedGroups
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
        self._sharded = ShardedGroups({})
        self._synchronizing: dict[int, bool] = {}
        self._before: dict[int, tuple[Tensor | None, int]] = {}
        self.gated: set[int] = set()
        """Those whose gradient was gated in the present step."""

    def follow(self) -> None:
        """Take in what wraps the models now; to be called between a step and a forward."""
        self._reducers = {}
        for wrapper in self._wrappers.reducing(self._table.parameters):
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

    def forward_begins(self, indexes: Iterable[int]) -> None:
        """Keep what tells the coming gradients of some parameters from those that are there."""
        for index in indexes:
            self._synchronizing[index] = all(
                wrapper.require_backward_grad_sync for wrapper in self._reducers[index]
            )
            self._before[index] = self._stamp(index)

    def came(self, index: int) -> bool:
        """Return whether the backward that has ended has reduced a parameter's gradient."""
        if not self._synchronizing.get(index, False):
            return False
        (grad, number), (before, earlier) = self._stamp(index), self._before[index]
        return grad is not None and (grad is not before or number != earlier)

    def waits(self, index: int) -> bool:
        """Return whether a parameter has a gradient that is not from an earlier step."""
        grad = self._table.parameters[index].grad
        mark = None if grad is None else grad.__dict__.get(MARK)
        return grad is not None and (mark is None or version(grad) != mark)

    def arrived(self, index: int) -> Tensor | None:
        """Return the gradient of a parameter, of a sharded one this rank's part."""
        grad = self._table.parameters[index].grad
        if grad is None or grad.is_sparse:
            return grad
        with torch.no_grad():
            return local_part(grad.detach())

    def replace(self, index: int, passed: Tensor | None) -> None:
        """Give a parameter what a gate lets pass of what has :meth:`arrived`."""
        parameter = self._table.parameters[index]
        with torch.no_grad():
            if passed is None or parameter.grad is None or parameter.grad.is_sparse:
                parameter.grad = passed
            else:  # it may be a part of the reducer's own memory
                local_part(parameter.grad).copy_(passed)
        self._before[index] = self._stamp(index)

    def _stamp(self, index: int) -> tuple[Tensor | None, int]:
        grad = self._table.parameters[index].grad
        if grad is None or grad.is_sparse:
            return grad, 0
        with torch.no_grad():
            return grad, version(local_part(grad))
