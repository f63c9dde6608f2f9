"""The parameters whose gradients are reduced over the ranks: gated once they are."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from ..measure.write_tracker import MARK
from ..model.table import ParameterTable
from ..torch_compat.ddp import parameters_of
from ..torch_compat.versions import version
from ..torch_compat.wrappers import Wrappers


class ReducedParameters:
    """Knows which gradients a reducer makes, and which of them a backward has made just now.

    A reducer waits for the gradient of each of its parameters, in every backward: nothing may be
    cut off from it before, and it makes zeros where nothing came. Before it is done each rank
    has a gradient of its own batch alone.
    """

    def __init__(self, table: ParameterTable, wrappers: Wrappers) -> None:
        self._table = table
        self._wrappers = wrappers
        self._reducers: dict[int, list[DistributedDataParallel]] = {}
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

    def __contains__(self, index: object) -> bool:
        return index in self._reducers

    def any(self, indexes: Iterable[int]) -> bool:
        """Return whether one of the parameters is reduced."""
        return any(index in self._reducers for index in indexes)

    def forward_begins(self, indexes: Iterable[int]) -> None:
        """Keep what tells the coming gradients of some parameters from those that are there."""
        for index in indexes:
            self._synchronizing[index] = all(
                wrapper.require_backward_grad_sync for wrapper in self._reducers[index]
            )
            grad = self._table.parameters[index].grad
            self._before[index] = (grad, 0 if grad is None else version(grad))

    def came(self, index: int) -> bool:
        """Return whether the backward that has ended has reduced a parameter's gradient."""
        if not self._synchronizing.get(index, False):
            return False
        grad = self._table.parameters[index].grad
        before, number = self._before[index]
        return grad is not None and (grad is not before or version(grad) != number)

    def waits(self, index: int) -> bool:
        """Return whether a parameter has a gradient that is not from an earlier step."""
        grad = self._table.parameters[index].grad
        mark = None if grad is None else grad.__dict__.get(MARK)
        return grad is not None and (mark is None or version(grad) != mark)

    def replace(self, index: int, passed: Tensor | None) -> None:
        """Give a parameter what a gate lets pass of its gradient."""
        parameter = self._table.parameters[index]
        with torch.no_grad():
            if passed is None or parameter.grad is None or parameter.grad.is_sparse:
                parameter.grad = passed
            else:  # it may be a part of the reducer's own memory
                parameter.grad.copy_(passed)
            self._before[index] = (
                parameter.grad,
                0 if parameter.grad is None else version(parameter.grad),
            )
