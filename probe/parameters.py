"""The table of the parameters that a run watches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter


@dataclass(frozen=True)
class TableRow:
    """What is told about a parameter once; from then on it is an index."""

    names: list[str]
    """The parameter's name, then the other names that tie it."""
    module: str
    """The path of the module that owns it, ``""`` for the root."""
    shape: list[int]
    numel: int
    dtype: str
    device: str
    in_optimizer: bool
    requires_grad: bool

    def as_message(self) -> dict[str, Any]:
        """The row as the wire protocol has it."""
        return asdict(self)


class ParameterTable:
    """Every parameter of the models, once, in model order, with all of its names.

    Names are those of ``named_parameters(remove_duplicate=False)``; a parameter that
    several modules share is one parameter with several names. With several models each
    name starts with the model's key: ``"generator.0.weight"``.
    """

    def __init__(self, models: Mapping[str, nn.Module]) -> None:
        self.parameters: list[nn.Parameter] = []
        self.names: list[list[str]] = []
        self.index_of: dict[int, int] = {}
        """From ``id(parameter)`` to its index; the table keeps the parameters alive."""
        for key, model in models.items():
            for name, parameter in model.named_parameters(remove_duplicate=False):
                self._add(f"{key}.{name}" if key else name, parameter)

    def _add(self, name: str, parameter: nn.Parameter) -> None:
        index = self.index_of.get(id(parameter))
        if index is None:
            self.index_of[id(parameter)] = len(self.parameters)
            self.parameters.append(parameter)
            self.names.append([name])
        else:
            self.names[index].append(name)

    def __len__(self) -> int:
        return len(self.parameters)

    def name(self, index: int) -> str:
        """The first name of a parameter."""
        return self.names[index][0]

    def indexes(self, parameters: Iterable[torch.Tensor]) -> list[int]:
        """The indexes of those of ``parameters`` that are in the table."""
        found = (self.index_of.get(id(parameter)) for parameter in parameters)
        return [index for index in found if index is not None]

    def rows(self, in_optimizer: Sequence[bool]) -> list[TableRow]:
        """One row a parameter, as things are now."""
        return [
            self._row(parameter, names, trained)
            for parameter, names, trained in zip(
                self.parameters, self.names, in_optimizer, strict=True
            )
        ]

    @staticmethod
    def _row(parameter: nn.Parameter, names: list[str], in_optimizer: bool) -> TableRow:
        # A lazy module's parameter has no shape before its first forward.
        lazy = is_uninitialized(parameter)
        return TableRow(
            names=names,
            module=names[0].rpartition(".")[0],
            shape=[] if lazy else list(parameter.shape),
            numel=0 if lazy else parameter.numel(),
            dtype=str(parameter.dtype).removeprefix("torch."),
            device=str(parameter.device),
            in_optimizer=in_optimizer,
            requires_grad=parameter.requires_grad,
        )


def is_uninitialized(parameter: torch.Tensor) -> bool:
    """Whether a lazy module has not given this parameter its shape yet."""
    return isinstance(parameter, UninitializedParameter)
