"""The parameters that are upstream of a gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..model.graph_walk import leaves, leaves_of, reachable
from ..model.table import ParameterTable


@dataclass
class Reach:
    """The parameters whose gradient passes through a site."""

    step: int = 0
    """The step whose graph was looked at; 0 for none yet."""
    indexes: set[int] = field(default_factory=set)
    behind: set[int] = field(default_factory=set)
    """Of those, the ones that a custom function, or a transform of ``torch.func``, may give zeros
    for a missing gradient."""
    hidden: bool = False
    """There may be more: a reentrant checkpoint of a function hides what it uses."""
    foreign: bool = False
    """There is more than parameters, such as an input that is being optimised."""

    def add(
        self, tensor: Tensor, table: ParameterTable, stand_ins: Callable[[], Mapping[int, int]]
    ) -> None:
        """Take in what ``tensor`` passes its gradient to.

        ``stand_ins``: gives the parameters in whose place a module holds another tensor now, by
        the ``id`` of that.
        """
        found = list(leaves([tensor]))
        self.hidden |= any(leaf is None for leaf in found)
        indexes = table.indexes(leaf for leaf in found if leaf is not None)
        if len(indexes) < len(found):
            known = stand_ins()
            copies = [known[id(leaf)] for leaf in found if id(leaf) in known]
            self.behind.update(copies)
            indexes += copies
        self.foreign |= len(indexes) < len(found)
        self.indexes.update(indexes)
        if tensor.grad_fn is None:
            return
        inventors = [node for node in reachable([tensor.grad_fn]) if _may_invent(node)]
        beyond = leaves_of(inventors)
        self.behind.update(table.indexes(leaf for leaf in beyond if leaf is not None))

    def leaves(self, table: ParameterTable) -> Iterator[Tensor | None]:
        """Yield the parameters, and None where there is more."""
        yield from (table.parameters[index] for index in self.indexes)
        if self.hidden or self.foreign:
            yield None


def _may_invent(node: torch.autograd.graph.Node) -> bool:
    """Return whether a node may make zeros of nothing, as functions of Python and C++ do.

    https://docs.pytorch.org/docs/stable/generated/torch.autograd.function.FunctionCtx.set_materialize_grads.html
    """
    kind = type(node)
    return (
        torch.autograd.function.BackwardCFunction in kind.__mro__ or kind.__name__ == "CppFunction"
    )
