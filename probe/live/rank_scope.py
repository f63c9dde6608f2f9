"""Says for which ranks of a distributed job an explanation holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import nn

from ..diagnosis.explanation import Explanation
from ..model.table import ParameterTable
from ..torch_compat.ddp import parameters_of
from ..torch_compat.fsdp import ShardedGroups
from ..torch_compat.process_group import rank
from ..torch_compat.wrappers import Wrappers


class RankScope:
    """Knows which gradients the ranks make together, by what wraps the models."""

    def __init__(
        self, models: Mapping[str, nn.Module], table: ParameterTable, wrappers: Wrappers
    ) -> None:
        self._models = models
        self._table = table
        self._wrappers = wrappers

    def tell(self, explanations: Mapping[str, Explanation]) -> dict[str, Explanation]:
        """Return explanations that say on which ranks; in a job of one process the same."""
        size = self._wrappers.processes()
        if size == 1 or not explanations:
            return dict(explanations)
        together = self._reduced_together()
        return {
            name: replace(each, detail=f"{each.detail} {_scope(name in together, size)}")
            for name, each in explanations.items()
        }

    def _reduced_together(self) -> set[str]:
        reduced = ShardedGroups(self._models).parameters()
        for wrapper in self._wrappers.reducing(self._table.parameters):
            reduced += parameters_of(wrapper)
        return {self._table.name(index) for index in self._table.indexes(reduced)}


def _scope(together: bool, size: int) -> str:
    traced = f"rank {rank()} of {size}, whose step was traced"
    if together:
        return (
            f"All {size} ranks make this gradient together, so each has the same; how it "
            f"came about was seen on {traced}."
        )
    return f"This holds for {traced}; what it is on the others was not looked at."
