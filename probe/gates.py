"""The gates of a run: made, decided as gradients arrive, and accounted for at boundaries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import LBFGS, Optimizer

from .actions import Action
from .arrivals import Arrivals
from .commands import Command
from .compiled import is_compiled
from .conditions import compile_condition
from .errors import CommandError
from .gate import Gate, GateInfo
from .guard import Guard
from .living import living
from .loss_scaling import IdleOptimizers
from .norms import grad_norms
from .parameters import ParameterTable
from .readback import Readback, capturing
from .selection import module_paths
from .sites import LABEL, PARAMETER, Site
from .upstream import leaves

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
        idle: IdleOptimizers,
        guard: Guard,
        *,
        metrics: Callable[[], Mapping[str, float]],
        sampling: Callable[[], bool],
    ) -> None:
        """``metrics``: the latest value of each, by the name that conditions know it by."""
        self._models = models
        self._optimizers = optimizers
        self._table = table
        self._idle = idle
        self._guard = guard
        self._metrics = metrics
        self._sampling = sampling
        self._gates: dict[int, Gate] = {}
        self._arrivals: dict[Site, Arrivals] = {}
        self._at: dict[Site, list[Gate]] = {}
        self._numbers = count(1)
        self._step = 1
        """The step that arrivals belong to."""
        self._flipped: set[int] = set()
        """Parameters that a closed gate keeps from being trained in the coming step."""
        self._gated: set[int] = set()
        """Parameters that got no gradient in the present step because of a gate."""
        self._norms: list[tuple[Gate, Readback, float]] = []
        """Of gradients that came, with AMP's scale: measured, and not read from the device yet."""
        self._scaler: GradScaler | None = None
        self._told = 0.0
        self._changed = False

    def __len__(self) -> int:
        return len(self._gates)

    def get(self, number: int) -> Gate | None:
        """The gate of this number, or None."""
        return self._gates.get(number)

    def reserve(self) -> int:
        """Promise a number to a gate that is yet to be made; in any thread."""
        return next(self._numbers)

    @property
    def flipped(self) -> frozenset[int]:
        """The parameters that are kept from being trained in the coming step."""
        return frozenset(self._flipped)

    @property
    def may_flip(self) -> frozenset[int]:
        """The parameters that a gate may keep from being trained in some step."""
        return frozenset(
            self._table.index_of_name(gate.site.name)
            for gate in self._gates.values()
            if _is_early(gate)
        )

    def infos(self) -> list[GateInfo]:
        """Every gate, in the order made."""
        return [gate.info(self._table.name) for gate in self._gates.values()]

    # Commands, in the training thread, outside forward and backward.

    def check(self, command: Command) -> None:
        """Raise why a gate cannot be made, changed or removed; nothing is done."""
        if command.gate is not None and command.gate not in self._gates:
            known = ", ".join(map(str, self._gates)) or "none"
            raise CommandError(f"this run has no gate {command.gate}; it has {known}.")
        if command.kind == "gate":
            compile_condition(command.when)
            Action(command.action, command.factor, command.max_norm).check()
            if command.hold < 0:
                raise CommandError(f"hold={command.hold}: give a number of steps from 0 up.")
            if len(self._gates) >= MOST:
                raise CommandError(f"a run has {MOST} gates at most; remove some.")
            self._check_site(Site.parse(command.site))

    def apply(self, command: Command, step: int) -> int:
        """Make, change or remove a gate that was checked; return its id."""
        self._changed = True
        old = self._gates.get(command.gate) if command.gate is not None else None
        if command.kind == "ungate" and old is not None:
            self._drop(old)
            return old.id
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
        self._scaler = self._scaler or next(iter(living(GradScaler)), None)
        self._install(gate.site)
        return gate.id

    def _check_site(self, site: Site) -> None:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            raise CommandError(
                "this job is distributed, and a gate that decides differently on each rank would "
                "let the ranks drift apart; this version gates single-process jobs only."
            )
        if is_compiled(self._models):
            raise CommandError(
                "this model is compiled, and compiled code takes no hooks; gate a run whose "
                "model is not compiled, or freeze instead."
            )
        if any(isinstance(optimizer, LBFGS) for optimizer in self._optimizers):
            raise CommandError(
                "LBFGS moves parameters along past directions even without a gradient, so a "
                "gate would not keep it away; use another optimizer."
            )
        if site.kind == PARAMETER:
            names = {name for aliases in self._table.names for name in aliases}
            site.must_be_one_of(names)
            index = self._table.index_of_name(site.name)
            if not self._table.parameters[index].requires_grad and index not in self._flipped:
                raise CommandError(f"{site.name!r} is frozen, so no gradient comes to it; thaw it.")
        elif site.kind != LABEL:
            site.must_be_one_of(module_paths(self._models))

    def _install(self, site: Site) -> None:
        self._at[site] = [gate for gate in self._gates.values() if gate.site == site]
        if site in self._arrivals:
            return

        def arrive(grad: Tensor) -> Tensor | None:
            return self._arrive(site, grad)

        def passes(tensor: Tensor) -> None:
            self._passes(site, tensor)

        self._arrivals[site] = arrivals = Arrivals(site, arrive, passes)
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

    # In forward and backward.

    def pass_label(self, tensor: Tensor, label: str) -> Tensor:
        """Gate the gradient of a tensor that passes a label, if there is a gate on it."""
        arrivals = self._arrivals.get(Site(LABEL, label))
        return tensor if arrivals is None else arrivals.reach(tensor)

    def _passes(self, site: Site, tensor: Tensor) -> None:
        """A tensor whose gradient is gated is made: see who is upstream, now and then."""
        gates = [gate for gate in self._at.get(site, ()) if gate.action.kind == "block"]
        wanted = self._sampling() or self._step % WALK_EVERY == 0
        if not gates or not (wanted or not all(gate.upstream for gate in gates)):
            return
        with self._guard:
            found = self._table.indexes(leaf for leaf in leaves([tensor]) if leaf is not None)
            for gate in gates:
                gate.upstream = sorted({*gate.upstream, *found})

    def _arrive(self, site: Site, grad: Tensor) -> Tensor | None:
        passed: Tensor | None = grad
        with self._guard:
            for gate in self._at.get(site, ()):
                if passed is None:
                    break
                passed = self._act(gate, passed)
        return passed

    def _act(self, gate: Gate, grad: Tensor) -> Tensor | None:
        scale = self._loss_scale()
        closed = gate.decide(self._step, self._metrics(), lambda: float(_norm(grad)) / scale)
        if self._sampling() and not capturing():
            self._norms.append((gate, Readback([_norm(grad).reshape(1)]), scale))
        if not closed:
            return grad
        passed = gate.action.on(grad, scale)
        if passed is None and self._scaler is not None:
            # Once this backward is done the scaler may look for gradients that there are not.
            engine = torch.autograd.Variable._execution_engine
            engine.queue_callback(self._idle.feed_gated)
        return passed

    def _loss_scale(self) -> float:
        """The factor that AMP has put on the gradients of the present step."""
        return 1.0 if self._scaler is None else float(self._scaler.get_scale())

    # Around the optimizer's step.

    def keep_out(self, indexes: Iterable[int], is_new: Callable[[int, Tensor], bool]) -> None:
        """Before an optimizer's step: what got nothing because of a gate has no gradient.

        Where a backward turned the missing gradient into zeros (a custom function does), or
        where one is left from an earlier step, it is taken away. ``indexes``: the
        optimizer's parameters; ``is_new``: whether a gradient was written since.
        """
        closed = [gate for gate in self._gates.values() if gate.closed_now]
        if not closed and not self._flipped:
            return
        wanted = set(indexes)
        upstream = {index for gate in closed for index in gate.upstream} & wanted
        for index in upstream:
            parameter = self._table.parameters[index]
            grad = parameter.grad
            if grad is not None and (not is_new(index, grad) or not _norm(grad).any()):
                parameter.grad = None
            if parameter.grad is None:
                self._gated.add(index)
        self._gated |= self._flipped & wanted

    @property
    def gated(self) -> frozenset[int]:
        """The parameters that got no gradient in the step that ends because of a gate."""
        return frozenset(self._gated)

    def end_step(self, step: int) -> dict[str, float]:
        """Account for ``step``; return, by the metric's name, which gates were closed in it."""
        closed = {}
        for gate in self._gates.values():
            arrivals = self._arrivals[gate.site]
            flipped = _is_early(gate) and self._index(gate) in self._flipped
            if gate.closed_now:
                gate.parameters = sorted(self._gated.intersection(gate.upstream))
            elif not flipped:
                gate.parameters = []
            if gate.end_step(arrivals.why_unreached):
                closed[f"gate {gate.id} closed"] = float(gate.closed)
            arrivals.end_step()
        self._gated.clear()
        self._step = step + 1
        self._read_norms()
        return closed

    def release(self) -> None:
        """Undo what keeps parameters from being trained, so that commands meet the job as it is."""
        for index in self._flipped:
            self._table.parameters[index].requires_grad_(True)
        self._flipped.clear()

    def settle(self) -> None:
        """Decide for the coming step the gates on parameters that are known before its forward."""
        for gate in self._gates.values():
            if gate.site.kind != PARAMETER:
                continue
            index = self._index(gate)
            parameter = self._table.parameters[index]
            self._arrivals[gate.site].put_on_parameter(parameter)
            if not _is_early(gate) or not (parameter.requires_grad or index in self._flipped):
                continue
            gate.upstream = [index]
            if gate.decide(self._step, self._metrics(), lambda: 0.0):
                parameter.requires_grad_(False)
                parameter.grad = None
                self._flipped.add(index)

    def message(self, *, now: bool = False) -> list[dict[str, Any]] | None:
        """The gates as the wire protocol has them, or None while it is too early to tell."""
        clock = time.monotonic()
        if not (now or self._changed or (self._gates and clock - self._told >= TOLD_EVERY)):
            return None
        self._told, self._changed = clock, False
        return [gate.as_message() for gate in self._gates.values()]

    def remove(self) -> None:
        """Remove every hook, and let every parameter be trained again."""
        self.release()
        for arrivals in self._arrivals.values():
            arrivals.remove()
        self._arrivals.clear()
        self._at.clear()
        self._gates.clear()

    def _index(self, gate: Gate) -> int:
        return self._table.index_of_name(gate.site.name)

    def _read_norms(self) -> None:
        waiting = []
        for gate, readback, scale in self._norms:
            if readback.ready():
                gate.measured(float(readback.values()[0]) / scale)
            else:
                waiting.append((gate, readback, scale))
        self._norms = waiting[-MOST:]


def _is_early(gate: Gate) -> bool:
    """Whether a gate is decided before the forward, so that its parameter costs no work."""
    return (
        gate.site.kind == PARAMETER
        and gate.action.kind == "block"
        and not gate.condition.needs_norm
    )


def _norm(grad: Tensor) -> Tensor:
    """The L2 norm of a gradient, float64 [] on its device."""
    dense = grad.detach()
    if dense.is_sparse:
        dense = dense.coalesce().values()
    if dense.numel() == 0:
        return torch.zeros((), dtype=torch.float64, device="cpu")
    with torch.no_grad():
        return grad_norms([dense.contiguous()])[0]
