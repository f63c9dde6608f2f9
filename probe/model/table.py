"""The table of the parameters that a run watches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.utils.weak import TensorWeakRef


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
    removed: bool = False
    """It left the models, or another parameter has taken its place."""


@dataclass(frozen=True)
class _Departed:
    """A parameter that is no longer in any model."""

    parameter: TensorWeakRef
    """Weak, for nobody should pay for the memory of what he threw away."""
    row: TableRow


class ParameterTable:
    """Every parameter of the models, once, with all of its names.

    Names are those of ``named_parameters(remove_duplicate=False)``; a parameter that
    several modules share is one parameter with several names. With several models each
    name starts with the model's key: ``"generator.0.weight"``.

    The table follows the models, and an index never changes its meaning. At first it is in
    model order; parameters that are added later are appended. One that gets another name
    keeps its index, and so does one that leaves: it is ``removed`` from then on, has no
    name in ``names`` (so that no target matches it) and an empty stand-in in
    ``parameters``, until it comes back.
    """

    def __init__(self, models: Mapping[str, nn.Module]) -> None:
        self.parameters: list[nn.Parameter] = []
        self.names: list[list[str]] = []
        self.index_of: dict[int, int] = {}
        """From ``id(parameter)`` to its index; the table keeps the parameters alive."""
        self._departed: dict[int, _Departed] = {}
        self._labels: set[str] = set()
        """The names that departed parameters were given, of which no two may be the same."""
        self._kinds: list[tuple[torch.dtype, torch.device]] = []
        """What each was as of the last look: a cast or a move makes another row."""
        self.edition = 0
        """A number that grows with each change: what was looked up by name holds for one."""
        self.update(models, 0)

    def __len__(self) -> int:
        return len(self.parameters)

    @property
    def removed(self) -> Set[int]:
        """The indexes of the parameters that are no longer in any model."""
        return self._departed.keys()

    def name(self, index: int) -> str:
        """The first name of a parameter; of a removed one, the name that says so."""
        departed = self._departed.get(index)
        return self.names[index][0] if departed is None else departed.row.names[0]

    def names_by_id(self) -> dict[int, str]:
        """The first name of each parameter, by its ``id``."""
        return {id(parameter): self.name(i) for i, parameter in enumerate(self.parameters)}

    def index_of_name(self, name: str) -> int:
        """The index of the parameter that goes by ``name``; KeyError if there is none."""
        for index, names in enumerate(self.names):
            if name in names:
                return index
        raise KeyError(name)

    def indexes(self, parameters: Iterable[torch.Tensor]) -> list[int]:
        """The indexes of those of ``parameters`` that are in the models."""
        found = (self.index_of.get(id(parameter)) for parameter in parameters)
        return [index for index in found if index is not None]

    def stand_ins(self, models: Mapping[str, nn.Module]) -> dict[int, int]:
        """The parameters in whose place a module holds another tensor, by the ``id`` of that.

        Inside ``torch.func.functional_call`` modules hold what they were handed.
        """
        held = _named(models)
        indexes = {name: index for index, names in enumerate(self.names) for name in names}
        return {
            key: indexes[names[0]]
            for key, (_, names) in held.items()
            if key not in self.index_of and names[0] in indexes
        }

    def update(self, models: Mapping[str, nn.Module], step: int) -> bool:
        """Read the models anew, at ``step``; return whether anything changed."""
        found = _named(models)
        taken = {name for _, names in found.values() for name in names}
        left = [index for key, index in self.index_of.items() if key not in found]
        for index in left:
            word = "removed" if taken.isdisjoint(self.names[index]) else "replaced"
            self._take_out(index, f"{word} at step {step}")
        away = {
            id(parameter): index
            for index, departed in self._departed.items()
            if (parameter := departed.parameter()) is not None
        }
        changed = bool(left)
        for key, (parameter, names) in found.items():
            known = self.index_of.get(key, away.get(key))
            changed |= known is None or self.names[known] != names
            changed |= known is not None and self._kinds[known] != _kind(parameter)
            self._put(len(self) if known is None else known, parameter, names)
        self.edition += changed
        return changed

    def rows(self, in_optimizer: Sequence[bool]) -> list[TableRow]:
        """One row a parameter, as things are now."""
        return [
            self._departed[index].row
            if index in self._departed
            else self._row(self.parameters[index], self.names[index], trained)
            for index, trained in enumerate(in_optimizer)
        ]

    def _put(self, index: int, parameter: nn.Parameter, names: list[str]) -> None:
        if index == len(self):
            self.parameters.append(parameter)
            self.names.append(names)
            self._kinds.append(_kind(parameter))
        self._departed.pop(index, None)
        self.parameters[index] = parameter
        self.names[index] = names
        self._kinds[index] = _kind(parameter)
        self.index_of[id(parameter)] = index

    def _take_out(self, index: int, what: str) -> None:
        parameter, names = self.parameters[index], self.names[index]
        row = replace(self._row(parameter, names, False), names=[self._label(names[0], what)])
        self._departed[index] = _Departed(TensorWeakRef(parameter), replace(row, removed=True))
        del self.index_of[id(parameter)]
        self.parameters[index] = nn.Parameter(torch.empty(0, device="cpu"), requires_grad=False)
        self.names[index] = []

    def _label(self, name: str, what: str) -> str:
        label, number = f"{name} ({what})", 2
        while label in self._labels:
            label, number = f"{name} ({number}) ({what})", number + 1
        self._labels.add(label)
        return label

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


def _kind(parameter: torch.Tensor) -> tuple[torch.dtype, torch.device]:
    return parameter.dtype, parameter.device


def _named(models: Mapping[str, nn.Module]) -> dict[int, tuple[nn.Parameter, list[str]]]:
    """Every parameter of the models and its names, by its id, in model order."""
    found: dict[int, tuple[nn.Parameter, list[str]]] = {}
    for key, model in models.items():
        for name, parameter in model.named_parameters(remove_duplicate=False):
            entry = found.setdefault(id(parameter), (parameter, []))
            entry[1].append(f"{key}.{name}" if key else name)
    return found


def is_uninitialized(parameter: torch.Tensor) -> bool:
    """Whether a lazy module has not given this parameter, or buffer, its shape yet."""
    return is_lazy(parameter)
