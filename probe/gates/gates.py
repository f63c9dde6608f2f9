"""The gates of a run: made, decided as gradients arrive, and accounted for at boundaries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from ..base.errors import CommandError
from ..base.guard import Guard
from ..conditions.compiler import compile_condition
from ..freeze.grad_scaler import LossScale, ScalerZeros
from ..model.commands import GateCommand
from ..model.gate_info import GateInfo
from ..model.modules import module_paths
from ..model.table import ParameterTable
from ..torch_compat.module_hooks import ModuleHook
from ..torch_compat.readback import capturing
from .actions import Action
from .backward_hooks import REWRITTEN, Arrivals
from .blocked import IsNew, Withheld
from .forward_cut import Foregone
from .gate import Gate
from .gate_sites import check_site
from .norms import Figures, GateNorms, norm_of
from .reach import Reach
from .sites import LABEL, OUTPUT, PARAMETER, Site

WALK_EVERY = 20
"""Steps between two looks at the graph upstream of a site, in steps that are not sampled."""
TOLD_EVERY = 0.5
"""Seconds between two accounts of the gates, at least."""
MOST = 1000
"""Gates of a run, at most."""


class Gates:
    """Holds the gates and the hooks of their sites; several on one site act in order."""

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        optimizers: Sequence[Optimizer],
        table: ParameterTable,
        scaler_zeros: ScalerZeros,
        guard: Guard,
        *,
        metrics: Callable[[], Mapping[str, float]],
        sampling: Callable[[], bool],
        persist: Callable[[], bool],
    ) -> None:
        """``metrics``: the latest value of each, by the name that conditions know it by.

        ``sampling``: whether the present step is; ``persist``: whether gradients may stay
        from one step to the next.
        """
        self._models = models
        self._optimizers = optimizers
        self._table = table
        self._scaler_zeros = scaler_zeros
        self._guard = guard
        self._metrics = metrics
        self._sampling = sampling
        self._persist = persist
        self._gates: dict[int, Gate] = {}
        self._arrivals: dict[Site, Arrivals] = {}
        self._at: dict[Site, list[Gate]] = {}
        self._numbers = count(1)
        self._step = 1
        """The step that arrivals belong to."""
        self._settled = False
        """Whether gates on parameters were decided for the present step."""
        self._withheld = Withheld(table)
        self._norms = GateNorms()
        self._scale = LossScale()
        self._model_hooks: list[RemovableHandle] = []
        self._told = 0.0
        self._changed = False

    def __len__(self) -> int:
        return len(self._gates)

    def get(self, number: int) -> Gate | None:
        """The gate of this number, or None."""
        return self._gates.get(number)

    def begin(self, step: int) -> None:
        """Let ``step`` be the present one."""
        self._step = step

    def reserve(self) -> int:
        """Promise a number to a gate that is yet to be made; in any thread."""
        return next(self._numbers)

    @property
    def flipped(self) -> frozenset[int]:
        """The parameters that are kept from being trained in the present step."""
        return frozenset(self._withheld.flipped)

    @property
    def may_flip(self) -> frozenset[int]:
        """The parameters that a gate may keep from being trained in some step."""
        indexes = (self._index(gate) for gate in self._gates.values() if gate.is_early)
        return frozenset(index for index in indexes if index is not None)

    def infos(self) -> list[GateInfo]:
        """Every gate, in the order made."""
        return [gate.info(self._table.name) for gate in self._gates.values()]

    def stopping(self) -> dict[int, GateInfo]:
        """The closed gates that block, by each parameter that is behind one."""
        found: dict[int, GateInfo] = {}
        for gate in self._gates.values():
            blocks = gate.is_closed and gate.action.kind == "block"
            indexes = gate.reach.indexes if blocks else set()
            if gate.index in self._withheld.flipped | self._withheld.indexes:
                indexes = {gate.index}
            for index in indexes:
                found.setdefault(index, gate.info(self._table.name))
        return found

    def zeroing(self) -> list[GateInfo]:
        """The closed gates that scale by zero."""
        gates = self._gates.values()
        closed = [gate for gate in gates if gate.is_closed and gate.action.factor == 0]
        return [gate.info(self._table.name) for gate in closed]

    # Commands, in the training thread, outside forward and backward.

    def check_number(self, number: int) -> None:
        """Raise :class:`CommandError` if there is no gate of this number."""
        if number not in self._gates:
            known = ", ".join(map(str, self._gates)) or "none"
            raise CommandError(f"this run has no gate {number}; it has {known}.")

    def check(self, command: GateCommand, *, restored: bool = False) -> None:
        """Raise why a gate cannot be made or changed; nothing is done.

        ``restored``: it was made before, so that its parameter may be frozen by now.
        """
        if command.gate is not None:
            self.check_number(command.gate)
        compile_condition(command.when)
        Action(command.action, command.factor, command.max_norm).check()
        if command.hold < 0:
            raise CommandError(f"hold={command.hold}: give a number of steps from 0 up.")
        if command.gate is None and len(self._gates) >= MOST:
            raise CommandError(f"a run has {MOST} gates at most; remove some.")
        site = Site.parse(command.site)
        old = None if command.gate is None else self._gates[command.gate]
        if old is None or old.site != site:
            may_be_frozen = range(len(self._table)) if restored else self.flipped
            check_site(site, self._models, self._optimizers, self._table, may_be_frozen)

    def delete(self, number: int) -> None:
        """Remove the gate of this number, if there is one."""
        self._changed = True
        if number in self._gates:
            self._drop(self._gates[number])

    def apply(self, command: GateCommand, step: int) -> int:
        """Make or change a gate that was checked; return its number."""
        self._changed = True
        old = self._gates.get(command.gate) if command.gate is not None else None
        new = command.reserved if command.reserved is not None or old else self.reserve()
        gate = Gate(
            id=old.id if old is not None else int(new or 0),
            site=Site.parse(command.site),
            condition=compile_condition(command.when),
            action=Action(command.action, command.factor, command.max_norm),
            hold=command.hold,
            paused=command.paused,
            by=command.by,
            command=command.id,
            since_step=step,
        )
        if old is not None:
            self._drop(old)
        self._gates[gate.id] = gate
        self._gates = dict(sorted(self._gates.items()))
        self._scale.look()
        self._install(gate.site)
        return gate.id

    def _install(self, site: Site) -> None:
        self._at[site] = [gate for gate in self._gates.values() if gate.site == site]
        if site in self._arrivals:
            return

        def arrive(grad: Tensor) -> Tensor | None:
            return self._arrive(site, grad)

        def passes(tensor: Tensor) -> None:
            self._passes(site, tensor)

        if not self._model_hooks:
            self._model_hooks = [
                model.register_forward_hook(ModuleHook(self._forward_over), always_call=True)
                for model in self._models.values()
            ]

        def foregone() -> Foregone | None:
            return self._foregone(site)

        self._arrivals[site] = arrivals = Arrivals(site, self._guard, arrive, passes, foregone)
        if site.kind == PARAMETER:
            arrivals.put_on_parameter(self._table.parameters[self._table.index_of_name(site.name)])
        elif site.kind != LABEL:
            arrivals.put_on_module(module_paths(self._models)[site.name])

    def _drop(self, gate: Gate) -> None:
        del self._gates[gate.id]
        self._at[gate.site] = [other for other in self._at[gate.site] if other is not gate]
        if not self._at[gate.site]:
            del self._at[gate.site]
            self._arrivals.pop(gate.site).remove()
        if not self._arrivals:
            self._unhook_models()

    def _unhook_models(self) -> None:
        for hook in self._model_hooks:
            hook.remove()
        self._model_hooks.clear()

    # In forward and backward.

    def has_label(self, label: str) -> bool:
        """Whether there is a gate on a label."""
        return bool(self._arrivals) and Site(LABEL, label) in self._arrivals

    def pass_label(self, tensor: Tensor, label: str) -> Tensor:
        """Gate the gradient of a tensor that passes a label, if there is a gate on it."""
        arrivals = self._arrivals.get(Site(LABEL, label))
        return tensor if arrivals is None else arrivals.reach(tensor)

    def forward_begins(self) -> None:
        """Decide the gates on parameters that are known before the forward, once a step."""
        if self._settled or not self._gates:
            return
        self._settled = True
        with self._guard:
            for gate in self._gates.values():
                self._settle(gate)

    def _settle(self, gate: Gate) -> None:
        index = self._index(gate) if gate.is_early else None
        if index is None:
            return
        flipped = index in self._withheld.flipped
        if not (flipped or self._table.parameters[index].requires_grad):
            return  # frozen
        if not gate.decide(self._step, self._metrics(), lambda: 0.0):
            gate.await_gradient()
        elif not flipped:
            self._withheld.flip(index)

    def _forward_over(self, *_: object) -> None:
        """Look for writes in place that go past a gate, while the tensors are still there."""
        if torch.compiler.is_compiling() or not torch.is_grad_enabled():
            return
        with self._guard:
            for site, arrivals in self._arrivals.items():
                if arrivals.look():
                    for gate in self._at[site]:
                        gate.bypass(f"{site.name or 'the model'} {REWRITTEN}")

    def _passes(self, site: Site, tensor: Tensor) -> None:
        """A tensor whose gradient is gated is made: see who is upstream, now and then."""
        for gate in self._at.get(site, ()):
            if gate.action.kind != "block":
                continue
            looked = gate.reach.step
            if looked != self._step:
                # Where gradients stay, an old one must not be taken for a gated one.
                now_and_then = self._sampling() or self._step % WALK_EVERY == 0
                if looked and not (now_and_then or self._persist()):
                    continue
                gate.reach = Reach(self._step)
            gate.reach.add(tensor, self._table)

    def _foregone(self, site: Site) -> Foregone | None:
        """In the forward: is it known that nothing will pass a site, and because of whom?"""
        if site.kind == OUTPUT and site.name in self._models:
            return None  # the clock of the backward is on what a model returns
        for gate in self._at.get(site, ()):
            if gate.is_foregone(self._step) and not gate.reach.hidden:
                arrive = partial(self._arrive, site, foregone=gate)
                return Foregone(arrive, partial(gate.reach.leaves, self._table))
        return None

    def _arrive(self, site: Site, grad: Tensor, foregone: Gate | None = None) -> Tensor | None:
        """``foregone``: the gate because of which this was cut off in the forward."""
        passed: Tensor | None = grad
        with self._guard:
            for gate in self._at.get(site, ()):
                if passed is None:
                    break
                passed = self._act(gate, passed, foregone=gate is foregone)
        return passed

    def _act(self, gate: Gate, grad: Tensor, *, foregone: bool) -> Tensor | None:
        scale = self._scale.tensor()
        measured = norm_of(grad, scale) if self._sampling() and not capturing() else None

        def norm() -> float:
            return float(norm_of(grad, scale) if measured is None else measured)

        closed = gate.decide(self._step, self._metrics(), norm, foregone=foregone)
        if measured is not None:
            self._norms.add(gate, self._step, measured, closed=closed)
        if not closed:
            return grad
        passed = gate.action.on(grad, scale)
        if passed is None and scale is not None:
            # Once this backward is done the scaler may look for gradients that there are not.
            engine = torch.autograd.Variable._execution_engine
            engine.queue_callback(self._scaler_zeros.fill_gated)
        return passed

    # Around the optimizer's step.

    def keep_out(self, indexes: Iterable[int], is_new: IsNew) -> None:
        """Before an optimizer's step: what got nothing because of a gate has no gradient.

        ``indexes``: the optimizer's parameters.
        """
        closed = [gate for gate in self._gates.values() if gate.closed_now]
        if closed or self._withheld.flipped:
            self._withheld.keep_out(closed, indexes, is_new)

    def complete(self) -> frozenset[int]:
        """The parameters that got no gradient in the step that ends because of a gate."""
        closed = [gate for gate in self._gates.values() if gate.closed_now]
        self._withheld.complete(closed)
        return frozenset(self._withheld.indexes)

    def end_step(self, step: int) -> Figures:
        """Account for ``step``; return what is to be told of gates."""
        figures: Figures = {}
        self.complete()
        for gate in self._gates.values():
            gate.parameters = sorted(self._withheld.indexes & gate.reach.indexes)
            if not gate.closed_now:
                gate.parameters = []
            if gate.end_step(partial(self._why_unreached, gate)):
                figures.setdefault(step, {})[f"gate {gate.id} closed"] = float(gate.closed)
        for arrivals in self._arrivals.values():
            arrivals.look()
        self._withheld.begin_step()
        self._step = step + 1
        self._settled = False
        self._norms.read(figures)
        return figures

    def _why_unreached(self, gate: Gate) -> str:
        if gate.site.kind == PARAMETER and self._index(gate) is None:
            return f"{gate.site.name} is no longer in the model."
        return self._arrivals[gate.site].why_unreached()

    def release(self) -> None:
        """Let all be trained again, so that commands meet the job as it is."""
        self._withheld.release()

    def follow(self) -> None:
        """At a boundary: put hooks on the tensors that gated parameters are now."""
        for gate in self._gates.values():
            index = self._index(gate) if gate.site.kind == PARAMETER else None
            if index is not None:
                gate.reach = Reach(self._step, {index} if gate.action.kind == "block" else set())
                self._arrivals[gate.site].put_on_parameter(self._table.parameters[index])

    def message(self) -> list[dict[str, Any]] | None:
        """The gates as the wire protocol has them, or None while it is too early to tell."""
        clock = time.monotonic()
        if not (self._changed or (self._gates and clock - self._told >= TOLD_EVERY)):
            return None
        self._told, self._changed = clock, False
        return [gate.as_message() for gate in self._gates.values()]

    def remove(self) -> None:
        """Remove every hook, and let every parameter be trained again."""
        self.release()
        self._unhook_models()
        for arrivals in self._arrivals.values():
            arrivals.remove()
        self._arrivals.clear()
        self._at.clear()
        self._gates.clear()

    def _index(self, gate: Gate) -> int | None:
        """The parameter that a gate is on; None if it is no longer there.

        A gate follows its name to another tensor, and its tensor to another name.
        """
        names, known = self._table.names, gate.index
        if known is None or gate.site.name not in names[known]:
            found = (i for i, aliases in enumerate(names) if gate.site.name in aliases)
            gate.index = next(found, known)
        return None if gate.index is None or not names[gate.index] else gate.index
