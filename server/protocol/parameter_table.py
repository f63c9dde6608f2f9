"""The parameter table: as a job tells it, in columns or row by row, and as it is worked with."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import to_json

from . import limits
from .fields import Count, Index, ModulePath, Name, ParameterName
from .models import Message


class ParameterKind(Message):
    """What many parameters of a table have in common."""

    shape: Annotated[list[Count], Field(max_length=limits.DIMENSIONS)]
    numel: Count
    dtype: Name
    device: Name
    in_optimizer: bool
    requires_grad: bool
    removed: bool = False


_OF_KIND = set(ParameterKind.model_fields)


class Parameter(ParameterKind):
    """A row of a table that is told row by row."""

    names: Annotated[list[ParameterName], Field(min_length=1, max_length=limits.TIED_NAMES)]
    module: ModulePath

    @property
    def as_kind(self) -> tuple[Any, ...]:
        """Return what rows of one kind have in common."""
        return (
            *(tuple(self.shape), self.numel, self.dtype, self.device),
            *(self.in_optimizer, self.requires_grad, self.removed),
        )


TiedNames = Annotated[list[ParameterName], Field(min_length=1, max_length=limits.TIED_NAMES - 1)]
Places = Annotated[list[Index], Field(max_length=limits.PARAMETERS)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16,64}$")]
"""What a job makes of its table, such as a hash: another table of the run has another."""


class TableColumns(Message):
    """A table in columns: what is the same of many parameters is told once."""

    names: Annotated[list[ParameterName], Field(max_length=limits.PARAMETERS)]
    """The first name of each parameter."""
    tied: Annotated[list[tuple[Index, TiedNames]], Field(max_length=limits.PARAMETERS)]
    """The places of parameters that have other names, rising, and those names."""
    modules: Annotated[list[ModulePath], Field(max_length=limits.PARAMETERS)]
    module: Places
    """Of each parameter, the place of its module in `modules`."""
    kinds: Annotated[list[ParameterKind], Field(max_length=limits.PARAMETERS)]
    kind: Places
    """Of each parameter, the place of its kind in `kinds`."""

    @model_validator(mode="after")
    def _fits_together(self) -> TableColumns:
        count = len(self.names)
        for column, values in ((self.module, self.modules), (self.kind, self.kinds)):
            if len(column) != count:
                raise ValueError(f"{count} parameters have a column of {len(column)} entries")
            if (highest := max(column, default=-1)) >= len(values):
                raise ValueError(f"a column names entry {highest} of {len(values)}")
        places = [place for place, _ in self.tied]
        if places != sorted(set(places)) or (places and places[-1] >= count):
            raise ValueError("`tied` has rising places of the table, each once")
        numel = [each.numel for each in self.kinds]
        _check(self.names, sum(map(numel.__getitem__, self.kind)))
        return self


def _checked(rows: list[Parameter]) -> list[Parameter]:
    _check([row.names[0] for row in rows], sum(row.numel for row in rows))
    return rows


TableRows = Annotated[
    list[Parameter], Field(max_length=limits.PARAMETERS), AfterValidator(_checked)
]


def _check(names: Sequence[str], numel: int) -> None:
    if numel > limits.NUMBER:
        raise ValueError("the parameters together have 2**53 elements at most")
    if len(set(names)) != len(names):
        ((twice, _),) = Counter(names).most_common(1)
        raise ValueError(f"two parameters are named {twice!r}; each has a name of its own")


# A table of 100,000 parameters is 25 blocks, and a parameter is found without reading them all.
BLOCK = 4096
_FAST = 1


Column = NDArray[np.intp]


class Block(NamedTuple):
    """The parameters of a table from `first` on, packed."""

    first: int
    size: int
    data: bytes


@dataclass(frozen=True, eq=False)
class Table:
    """Every parameter of a run, an entry of each column for each."""

    names: Sequence[str]
    tied: Mapping[int, Sequence[str]]
    """The other names of those that have some, by their places."""
    modules: Sequence[str]
    module: Column
    """Of each parameter, the place of its module in `modules`; and so with kinds."""
    kinds: Sequence[ParameterKind]
    kind: Column
    blocks: Sequence[Block] = ()
    """All of it as it is stored; the same table is packed to the same bytes."""
    digest: str | None = None

    def __len__(self) -> int:
        """Return how many parameters there are, removed ones among them."""
        return len(self.names)

    @property
    def all_names(self) -> list[list[str]]:
        """Return every name of each parameter, its own first."""
        found = [[name] for name in self.names]
        for place, others in self.tied.items():
            found[place] += others
        return found

    @property
    def numel(self) -> NDArray[np.int64]:
        """Return how many numbers each parameter has."""
        return np.array([each.numel for each in self.kinds], np.int64)[self.kind]

    def place(self, name: str) -> int | None:
        """Return the place of the parameter that has a name, as its own or as another."""
        if name in self.names:
            return self.names.index(name)
        return next((place for place, others in self.tied.items() if name in others), None)

    def part(self, first: int, last: int) -> Table:
        """Return the parameters from one place up to another, not packed."""
        modules, module = np.unique(self.module[first:last], return_inverse=True)
        kinds, kind = np.unique(self.kind[first:last], return_inverse=True)
        return Table(
            self.names[first:last],
            {at - first: others for at, others in self.tied.items() if first <= at < last},
            [self.modules[place] for place in modules.tolist()],
            module,
            [self.kinds[place] for place in kinds.tolist()],
            kind,
        )

    def as_columns(self) -> dict[str, Any]:
        """Return what `TableColumns` has."""
        return {
            "names": self.names,
            "tied": [[place, others] for place, others in sorted(self.tied.items())],
            "modules": self.modules,
            "module": self.module.tolist(),
            "kinds": [each.model_dump(include=_OF_KIND) for each in self.kinds],
            "kind": self.kind.tolist(),
        }


NO_TABLE = Table([], {}, [], np.empty(0, np.intp), [], np.empty(0, np.intp))


def table_of(told: TableColumns | Sequence[Parameter], digest: str | None = None) -> Table:
    """Return a table as it is worked with and stored, in whichever way it was told."""
    table = _of_columns(told) if isinstance(told, TableColumns) else _of_rows(told)
    return replace(table, blocks=pack(table), digest=digest)


def pack(table: Table) -> list[Block]:
    """Pack all of a table."""
    firsts = range(0, len(table), BLOCK)
    return [_packed(first, table.part(first, first + BLOCK)) for first in firsts]


def _packed(first: int, part: Table) -> Block:
    return Block(first, len(part), zlib.compress(to_json(part.as_columns()), _FAST))


def _of_columns(told: TableColumns) -> Table:
    module, kind = np.array(told.module, np.intp), np.array(told.kind, np.intp)
    return Table(told.names, dict(told.tied), told.modules, module, told.kinds, kind)


def _of_rows(told: Sequence[Parameter]) -> Table:
    modules: dict[str, int] = {}
    kinds: dict[tuple[Any, ...], tuple[int, ParameterKind]] = {}
    module = [modules.setdefault(row.module, len(modules)) for row in told]
    kind = [kinds.setdefault(row.as_kind, (len(kinds), row))[0] for row in told]
    return Table(
        [row.names[0] for row in told],
        {place: row.names[1:] for place, row in enumerate(told) if row.names[1:]},
        list(modules),
        np.array(module, np.intp),
        [row for _, row in kinds.values()],
        np.array(kind, np.intp),
    )
