"""The parameters that closed gates keep without a gradient."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from ..measure.write_tracker import MARK
from ..torch_compat.tensors import set_requires_grad
from .gate import Gate
from .present_step import PresentStep
from .reach import Reach
from .runtime import GateRuntime


class BlockedParameters:
    """Decides what it can before a forward, and finds what gates have kept from parameters."""

    def __init__(self, runtime: GateRuntime, step: PresentStep) -> None:
        self.before_forward: frozenset[int] = frozenset()
        """Those that a gate keeps from being trained in this step, known before its forward."""
        self._runtime = runtime
        self._step = step
        self._decided = False
        """Whether gates on parameters were decided for the present step."""
        self._found: set[int] = set()
        """Those that were found without a gradient in the present step."""
        self._stepped: set[int] = set()
        """Those whose optimizer has looked for a gradient in this step."""

    def decide_before_forward(self) -> None:
        """Decide the gates on parameters that are known before the forward, once a step."""
        if self._decided:
            return
        self._decided = True
        for gate in self._runtime.gates():
            with self._step.guard:
                self._decide(gate)

    def _decide(self, gate: Gate) -> None:
        step = self._step
        index = gate.find_parameter(step.table) if gate.decides_before_forward else None
        if index is None:
            return
        parameter, is_blocked = step.table.parameters[index], index in self.before_forward
        if not (is_blocked or parameter.requires_grad):
            return  # frozen
        if not gate.decide(step.number, step.measurement.metrics.latest, lambda: 0.0):
            gate.arrivals.await_gradient()
        elif not is_blocked:
            # So that its gradient costs no work.
            set_requires_grad(parameter, False)
            parameter.grad = None
            self.before_forward |= {index}

    def clear_gradients(self, indexes: Iterable[int]) -> None:
        """Before an optimizer's step: what got nothing because of a gate has no gradient.

        Where a custom function made zeros of the missing gradient, or where a gradient is
        left from an earlier step (as it was, or as ``zero_grad(set_to_none=False)`` leaves
        it), it is taken away. ``indexes``: the optimizer's parameters.
        """
        closed = self._runtime.closed_gates()
        if not (closed or self.before_forward):
            return
        parameters = self._step.table.parameters
        wanted = set(indexes)
        self._stepped |= wanted
        for index in self.before_forward & wanted:
            # Zeros that a GradScaler was given to look at.
            parameters[index].grad = None
            self._found.add(index)
        for gate in closed:
            reach = gate.reach
            for index in wanted if reach.hidden else reach.indexes & wanted:
                grad = parameters[index].grad
                if grad is None:
                    if index in reach.indexes:
                        self._found.add(index)
                    continue
                with self._step.guard:
                    if self._is_nothing(index, grad, reach):
                        parameters[index].grad = None
                        self._found.add(index)

    def find(self) -> frozenset[int]:
        """Return, at the end of a step, those that got no gradient in it because of a gate."""
        for gate in self._runtime.closed_gates():
            for index in gate.reach.indexes - self._stepped:
                if self._step.table.parameters[index].grad is None:
                    self._found.add(index)
        self._found |= self.before_forward - self._stepped
        return frozenset(self._found)

    def begin_step(self) -> None:
        """Forget what was found in the step that has ended; :meth:`release` does the rest."""
        self._found.clear()
        self._stepped.clear()
        self._decided = False

    def release(self) -> None:
        """Let every parameter be trained again, so that commands meet the job as it is."""
        for index in self.before_forward:
            with self._step.guard:
                set_requires_grad(self._step.table.parameters[index], True)
        self.before_forward = frozenset()

    def _is_nothing(self, index: int, grad: Tensor, reach: Reach) -> bool:
        """Return whether a gradient is left, or was made, where a gate let nothing pass."""
        if index in reach.indexes and not self._step.measurement.is_new(index, grad):
            return True
        may_be_nothing = reach.hidden or index in reach.behind or hasattr(grad, MARK)
        return may_be_nothing and _is_zero(grad)


def _is_zero(grad: Tensor) -> bool:
    dense = grad.coalesce().values() if grad.is_sparse else grad
    return not bool(dense.any())
