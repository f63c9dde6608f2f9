"""The groups of parameters that an optimizer treats alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch.optim import Optimizer

from ..model.table import ParameterTable


@dataclass(frozen=True)
class Group:
    """The parameters of one group of an optimizer."""

    key: tuple[int, int]
    """The number of the optimizer, and of the group in it."""
    options: dict[str, Any]
    """As the optimizer has it: its learning rate and more."""
    indexes: npt.NDArray[np.int64]
    """Of its parameters, in the order of the table."""
    weights: npt.NDArray[np.int64]
    """Of those of two dimensions or more: no biases and no scales."""
    sizes: npt.NDArray[np.int64]
    """Elements of each of the weights."""
    optimizer: str
    """Its type."""
    label: str
    """As a sentence names it."""


class Groups:
    """Reads the optimizers' groups anew only where they have changed."""

    def __init__(self, optimizers: Sequence[Optimizer], table: ParameterTable) -> None:
        self._optimizers = optimizers
        self._table = table
        self._seen: list[tuple[int, int]] = []
        self._groups: list[Group] = []
        self._by_parameter: dict[int, Group] = {}
        self.held = np.zeros(0, np.bool_)
        """By parameter: whether an optimizer holds it, as of the latest :meth:`all`."""

    def of(self, index: int) -> Group | None:
        """Return the group that a parameter is in; None where no optimizer holds it."""
        self.all()
        return self._by_parameter.get(index)

    def all(self) -> list[Group]:
        """Return every group that has a parameter of the models."""
        found = [
            (id(group["params"]), len(group["params"]))
            for optimizer in self._optimizers
            for group in optimizer.param_groups
        ]
        found.append((0, len(self._table)))
        if found != self._seen:
            self._seen = found
            self._groups = [each for each in self._read() if len(each.indexes)]
            self._by_parameter = {int(i): each for each in self._groups for i in each.indexes}
            self.held = np.isin(np.arange(len(self._table)), list(self._by_parameter))
        return self._groups

    def _read(self) -> list[Group]:
        made = []
        for k, optimizer in enumerate(self._optimizers):
            for g, group in enumerate(optimizer.param_groups):
                indexes = sorted(self._table.indexes(group["params"]))
                weights = [i for i in indexes if self._table.parameters[i].dim() > 1]
                made.append(
                    Group(
                        (k, g),
                        group,
                        np.array(indexes, np.int64),
                        np.array(weights, np.int64),
                        np.array([self._table.parameters[i].numel() for i in weights], np.int64),
                        type(optimizer).__name__,
                        self._label(k, g),
                    )
                )
        return made

    def _label(self, k: int, g: int) -> str:
        optimizer = self._optimizers[k]
        name = type(optimizer).__name__
        if len(self._optimizers) > 1:
            name = f"{name} (optimizer {k})"
        if len(optimizer.param_groups) == 1:
            return f"what {name} holds"
        return f"group {g} of {name}"
