"""The gradients that closed gates withhold from parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import Tensor

from ..measure.write_tracker import MARK
from ..model.table import ParameterTable
from .gate import Gate

IsNew = Callable[[int, Tensor], bool]
"""Whether a backward wrote a parameter's gradient since the last step used it."""


class Withheld:
    """The parameters that get no gradient in the present step because of a gate."""

    def __init__(self, table: ParameterTable) -> None:
        self._table = table
        self.flipped: set[int] = set()
        """Those that a gate keeps from being trained in this step, known before its forward."""
        self.indexes: set[int] = set()
        """All that are known so far."""
        self._stepped: set[int] = set()
        """Those whose optimizer has looked for a gradient in this step."""

    def keep_out(self, gates: Iterable[Gate], indexes: Iterable[int], is_new: IsNew) -> None:
        """Before an optimizer's step: what got nothing because of a gate has no gradient.

        Where a custom function made zeros of the missing gradient, or where a gradient is
        left from an earlier step (as it was, or as ``zero_grad(set_to_none=False)`` leaves
        it), it is taken away. ``indexes``: the optimizer's parameters.
        """
        wanted = set(indexes)
        self._stepped |= wanted
        for gate in gates:
            reach = gate.reach
            for index in wanted if reach.hidden else reach.indexes & wanted:
                parameter = self._table.parameters[index]
                grad = parameter.grad
                if grad is not None:
                    may_be_nothing = reach.hidden or index in reach.behind or hasattr(grad, MARK)
                    old = index in reach.indexes and not is_new(index, grad)
                    if old or (may_be_nothing and _is_zero(grad)):
                        parameter.grad = None
                        self.indexes.add(index)
                elif index in reach.indexes:
                    self.indexes.add(index)
        for index in self.flipped & wanted:
            # Zeros that a GradScaler was given to look at.
            self._table.parameters[index].grad = None
            self.indexes.add(index)

    def complete(self, gates: Iterable[Gate]) -> None:
        """At the end of a step: find also those that no optimizer has stepped."""
        for gate in gates:
            for index in gate.reach.indexes - self._stepped:
                if self._table.parameters[index].grad is None:
                    self.indexes.add(index)
        self.indexes |= self.flipped - self._stepped

    def begin_step(self) -> None:
        """Forget the step that has ended; what is flipped stays so until it is released."""
        self.indexes.clear()
        self._stepped.clear()

    def flip(self, index: int) -> None:
        """Keep a parameter from being trained, so that its gradient costs no work."""
        parameter = self._table.parameters[index]
        parameter.requires_grad_(False)
        parameter.grad = None
        self.flipped.add(index)

    def release(self) -> None:
        """Let every parameter be trained again."""
        for index in self.flipped:
            self._table.parameters[index].requires_grad_(True)
        self.flipped.clear()


def _is_zero(grad: Tensor) -> bool:
    dense = grad.coalesce().values() if grad.is_sparse else grad
    return not bool(dense.any())
