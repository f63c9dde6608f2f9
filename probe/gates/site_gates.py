"""The gates on one site: what they decide in the forward, and do to gradients in the backward."""

from __future__ import annotations

from functools import cache, partial

import torch
from torch import Tensor

from ..base.guard import Guard
from ..torch_compat.readback import capturing
from ..torch_compat.tensors import value_of
from .attempt import GateAttempt
from .backward_hooks import REWRITTEN, SiteHooks
from .forward_cut import ForwardCut
from .gate import Gate
from .norms import norm_of
from .present_step import PresentStep
from .reach import Reach
from .sites import GatedRun, Site

WALK_EVERY = 20
"""Steps between two looks at the graph upstream of a site, in steps that are not sampled."""

BATCHED = (
    "open, because the condition needs the norm, and under vmap, or with is_grads_batched=True, "
    "many gradients arrive as one; give a condition without it."
)

ON_META = (
    "open, because the condition needs the norm, and on the meta device a gradient has none; give "
    "the model numbers, as by to_empty() or load_state_dict(..., assign=True)."
)

CAPTURED = (
    "open, because the condition needs the norm, and while a CUDA graph is captured nothing can be "
    "read from the device; give a condition without it."
)


class SiteGates:
    """The gates on one site, which act in the order made, and the hooks through which they do.

    It stays when its last gate goes: graphs that were made before ask it all the same, and find
    the gates that there are by then.
    """

    def __init__(self, site: Site, step: PresentStep) -> None:
        self.site = site
        self.gates: list[Gate] = []
        self.hooks: SiteHooks | None = None
        self._step = step

    def add(self, gate: Gate, run: GatedRun) -> None:
        """Let one more gate act here, where its number puts it."""
        if self.hooks is None:
            self.hooks = self.site.put_hooks(self, run)
        self.gates = sorted([*self.gates, gate], key=lambda gate: gate.id)

    def discard(self, gate: Gate) -> None:
        """Let a gate act here no longer."""
        self.gates = [other for other in self.gates if other is not gate]
        if not self.gates:
            self.remove()

    def remove(self) -> None:
        """Remove the hooks and every gate."""
        self.gates = []
        if self.hooks is not None:
            self.hooks.remove()
            self.hooks = None

    @property
    def guard(self) -> Guard:
        """Keeps faults from the training loop that are no gate's."""
        return self._step.guard

    def attempt(self) -> GateAttempt:
        """Guard a block; an error in it is what keeps the gates from working."""
        return GateAttempt(self._step.guard, self.gates)

    def record_upstream(self, tensor: Tensor) -> None:
        """Look, now and then, who is upstream of a tensor whose gradient is gated."""
        step = self._step
        for gate in self.gates:
            if not gate.action.blocks:
                continue
            looked = gate.reach.step
            if looked != step.number:
                # Where gradients stay, an old one must not be taken for a gated one.
                now_and_then = step.measurement.schedule.sampling or step.number % WALK_EVERY == 0
                if looked and not (now_and_then or step.measurement.persist):
                    continue
                gate.reach = Reach(step.number)
            gate.reach.add(tensor, step.table, step.stand_ins)

    def forward_cut(self) -> ForwardCut | None:
        """Return how to cut the graph in the forward, if nothing will pass."""
        for gate in self.gates:
            reducer_waits = self._step.reduced.wait_for(gate.reach.indexes)
            if reducer_waits or gate.reach.hidden:
                continue
            if gate.blocks_in_forward(self._step.number):
                gate.arrivals.has_cut = True
                pass_on = partial(self.pass_on, cut_by=gate)
                return ForwardCut(pass_on, partial(gate.reach.leaves, self._step.table))
        return None

    def find_rewrites(self) -> None:
        """Once a forward is over: look for writes in place that take gradients past the gates."""
        if self.hooks is not None and self.hooks.find_rewrites():
            for gate in self.gates:
                gate.arrivals.record_bypass(f"{self.site.name or 'the model'} {REWRITTEN}")

    def pass_on(self, grad: Tensor, cut_by: Gate | None = None) -> Tensor | None:
        """Return what passes of a gradient that has arrived.

        ``cut_by``: the gate because of which this was cut off in the forward.
        """
        passed: Tensor | None = grad
        for gate in self.gates:
            if passed is None:
                break
            with GateAttempt(self._step.guard, [gate]):
                passed = self._apply(gate, passed, cut=gate is cut_by)
        return passed

    def _apply(self, gate: Gate, grad: Tensor, *, cut: bool) -> Tensor | None:
        step = self._step
        scale = step.scale.tensor()
        value = value_of(grad)
        unread = _why_unread(grad, value)
        if unread is not None and gate.decider.condition.needs_norm:
            gate.arrivals.record(closed=False)
            gate.arrivals.record_bypass(unread)
            return grad
        is_measured = step.measurement.schedule.sampling and unread is None
        measured = None if value is None or not is_measured else norm_of(value, scale)

        # A reduced gradient is alike on all ranks, or each has a part of it; of any other each
        # has that of its own batch.
        copies = step.reduced.copies(gate.index) if gate.is_reduced else None
        agreed = None if gate.is_reduced and copies is None else step.agreed

        @cache
        def norm() -> float:
            asked = grad if value is None else value
            own = float(norm_of(asked, scale) if measured is None else measured)
            return own if agreed is None else agreed.norm(gate, step.number, own, copies)

        closed = gate.decide(step.number, step.values(gate), norm, cut=cut)
        clips_part = closed and agreed is not None and gate.action.needs_norm
        whole = norm() if clips_part else None
        if measured is not None:
            if agreed is not None and norm.cache_info().currsize:
                measured = torch.full_like(measured, norm())
            step.norms.add(gate, step.number, measured, closed=closed)
        if not closed:
            return grad
        return gate.action.pass_on(grad, scale, whole)


def _why_unread(grad: Tensor, value: Tensor | None) -> str | None:
    """Say why nobody can read how large a gradient is, or return None; ``value``: one that can."""
    if capturing():
        return CAPTURED
    if grad.is_meta:
        return ON_META
    return BATCHED if value is None else None
