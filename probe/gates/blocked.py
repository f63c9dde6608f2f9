"""The parameters that closed gates keep without a gradient."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import torch
from torch import Tensor

from ..base.undo import Handles, whole
from ..measure.local_part import local_part
from ..measure.write_tracker import MARK
from ..model.modules import held_at
from ..torch_compat.autograd import (
    inside_backward,
    inside_checkpoint,
    observed_by_transforms,
)
from ..torch_compat.module_hooks import ModuleHook
from ..torch_compat.tensors import are_zero, set_requires_grad
from .attempt import GateAttempt
from .gate import Gate
from .present_step import PresentStep
from .reach import Reach
from .runtime import GateRuntime
from .sites import ParameterSite

REPLACED = (
    "the model ran inside torch.func, or with another tensor in the parameter's place, and that "
    "got the gradient; gate the output of a module instead."
)


class BlockedParameters:
    """Decides what it can before a forward, and finds what gates have kept from parameters."""

    def __init__(self, runtime: GateRuntime, step: PresentStep) -> None:
        self.before_forward: frozenset[int] = frozenset()
        """Those that a gate keeps from being trained in this step, known before its forward."""
        self._runtime = runtime
        self._step = step
        self._left_out: frozenset[int] = frozenset()
        """Of those, the ones that require no gradient in the forward under way."""
        self._model_hooks = Handles()
        """Where forwards end, once anything was left out of one."""
        self._decided = False
        """Whether gates on parameters were decided for the present step."""
        self._replaced: set[int] = set()
        """Those in whose place the present step's forward had other tensors."""
        self._loose: set[int] = set()
        """Of those, the ones that the gradient was not seen to be kept from."""
        self._found: set[int] = set()
        """Those that were found without a gradient in the present step."""
        self._stepped: set[int] = set()
        """Those whose optimizer has looked for a gradient in this step."""

    def decide_before_forward(self) -> None:
        """Decide the gates on parameters that are known before the forward, once a step."""
        if inside_backward() and inside_checkpoint():
            return  # what is played again saves what it saved before
        self._runtime.forward_begins()
        self._find_replaced()
        if not self._decided:
            self._decide_all()
        self._leave_out()

    def _decide_all(self) -> None:
        self._decided = True
        for gate in self._runtime.gates():
            with GateAttempt(self._step.guard, [gate]):
                self._decide(gate)

    def _decide(self, gate: Gate) -> None:
        step = self._step
        index = gate.find_parameter(step.table) if gate.decides_before_forward else None
        if index is None:
            return
        parameter, is_blocked = step.table.parameters[index], index in self.before_forward
        if not (is_blocked or parameter.requires_grad):
            return  # frozen
        if not gate.decide(step.number, step.values(gate), lambda: 0.0):
            gate.arrivals.await_gradient()
        elif not is_blocked:
            self.before_forward |= {index}
            parameter.grad = None
            if index in self._replaced:
                self._loose.add(index)

    def clear_gradients(self, indexes: Iterable[int]) -> None:
        """Before an optimizer's step: what got nothing because of a gate has no gradient.

        Where a custom function made zeros of the missing gradient, or where a gradient is
        left from an earlier step (as it was, or as ``zero_grad(set_to_none=False)`` leaves
        it), it is taken away. ``indexes``: the optimizer's parameters.
        """
        if not (self._runtime.gates() or self.before_forward):
            return
        wanted = set(indexes)
        self._runtime.gate_rest(wanted)
        self._decide_without_forward(wanted)
        closed = self._runtime.closed_gates()
        agreed = self._step.agreed if self._runtime.may_make_zeros else None
        if not (closed or self.before_forward or agreed is not None):
            return
        parameters = self._step.table.parameters
        self._stepped |= wanted
        for index in self.before_forward & wanted:
            # What the script has assigned by hand.
            if parameters[index].grad is not None:
                parameters[index].grad = None
                self._loose.discard(index)
            self._found.add(index)
        nothing: set[int] = set()
        zeros: dict[int, Tensor] = {}
        for gate in closed:
            reach = gate.reach
            for index in wanted if reach.hidden else reach.indexes & wanted:
                grad = parameters[index].grad
                if grad is None:
                    if index in reach.indexes:
                        self._found.add(index)
                    continue
                with self._step.guard:
                    if self._is_left(index, grad, reach):
                        nothing.add(index)
                    elif index not in zeros and self._may_be_zeros(index, grad, reach):
                        zeros[index] = local_part(grad.detach())
        with self._step.guard:
            found = zip(zeros, are_zero(zeros.values()), strict=True)
            nothing |= {index for index, zero in found if zero}
        if agreed is not None:
            nothing = wanted & self._step.reduced.agree(agreed.lists(nothing, self._step.number))
        for index in nothing:
            parameters[index].grad = None
            self._found.add(index)

    def _decide_without_forward(self, wanted: Collection[int]) -> None:
        """Decide gates on parameters that have a gradient in a step in which no model ran."""
        for gate in () if self._decided else self._runtime.gates():
            undecided = gate.decides_before_forward and not gate.arrivals.arrived
            if undecided and gate.index is not None and gate.index in wanted:
                with GateAttempt(self._step.guard, [gate]):
                    if self._step.table.parameters[gate.index].grad is not None:
                        self._decide(gate)

    def _find_replaced(self) -> None:
        """Look whether the models hold other tensors in place of parameters that are gated."""
        for gate in self._runtime.gates():
            if isinstance(gate.site, ParameterSite) and gate.index is not None:
                parameter = self._step.table.parameters[gate.index]
                held = held_at(self._step.models, self._step.table.name(gate.index))
                is_another = held is not None and held is not parameter
                if is_another or observed_by_transforms():
                    self._replaced.add(gate.index)

    def find_bypassed(self) -> None:
        """At the end of a step: have gates on parameters that were replaced say so."""
        for gate in self._runtime.gates() if self._replaced else ():
            is_idle = gate.index in self._loose or not gate.arrivals.arrived
            if isinstance(gate.site, ParameterSite) and gate.index in self._replaced and is_idle:
                gate.arrivals.record_bypass(REPLACED)

    def find(self) -> frozenset[int]:
        """Return, at the end of a step, those that got no gradient in it because of a gate."""
        for gate in self._runtime.closed_gates():
            for index in gate.reach.indexes - self._stepped:
                if self._step.table.parameters[index].grad is None:
                    self._found.add(index)
        self._found |= self.before_forward - self._stepped
        return frozenset(self._found - self._loose)

    def begin_step(self) -> None:
        """Forget what was found in the step that has ended; :meth:`release` does the rest."""
        self._found.clear()
        self._stepped.clear()
        self._decided = False
        self._replaced.clear()
        self._loose.clear()
        self._runtime.step_begins()

    def remove(self) -> None:
        """Let every parameter be trained again, and remove every hook."""
        self.release()
        self._model_hooks.remove()

    def release(self) -> None:
        """Let every parameter be trained again, so that commands meet the job as it is."""
        if self._left_out:
            self._give_back()
        self.before_forward = frozenset()

    def _leave_out(self) -> None:
        """Keep what is blocked out of the graph of the coming forward: it costs no work then.

        Not of a compiled one, which would have to be made anew for each set of them.
        """
        if self._runtime.compiled:
            return
        for index in self.before_forward - self._loose - self._left_out:
            parameter = self._step.table.parameters[index]
            if parameter.requires_grad:
                self._follow_forwards()
                set_requires_grad(parameter, False)
                self._left_out |= {index}
        if self._left_out:
            self._step.recomputations.follow_gates(self._left_out)

    def _follow_forwards(self) -> None:
        """Let forwards end by giving flags back, before hooks of the script's own."""
        if self._model_hooks:
            return
        hook = ModuleHook(self._step.guard, self._forward_ended)
        with whole([self._model_hooks.remove]):
            for model in self._step.models.values():
                register = model.register_forward_hook
                self._model_hooks.add(register, hook, prepend=True, always_call=True)

    def _forward_ended(self, *_: object) -> None:
        if not torch.compiler.is_compiling() and self._left_out:
            self._give_back()

    def _give_back(self) -> None:
        """Give what was left out its flag again, before the script looks at it, or sets it."""
        for index in self._left_out:
            with self._step.guard:
                set_requires_grad(self._step.table.parameters[index], True)
        self._left_out = frozenset()
        self._step.recomputations.follow_gates(self._left_out)

    def _is_left(self, index: int, grad: Tensor, reach: Reach) -> bool:
        """Return whether a gradient is from an earlier step, where a gate let nothing pass."""
        return index in reach.indexes and not self._step.measurement.is_new(index, grad)

    def _may_be_zeros(self, index: int, grad: Tensor, reach: Reach) -> bool:
        """Return whether a gradient of zeros stands for one that a gate kept away."""
        invented = index in reach.behind or index in self._step.zeros
        invented |= self._step.reduced.makes_zeros(index)
        return reach.hidden or invented or hasattr(grad, MARK)
