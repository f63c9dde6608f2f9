"""Where a gradient on its way was lost, or turned into zeros or NaN, and the verdict on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..base.source import Place
from ..gates.sites import LABEL, OUTPUT, PARAMETER
from ..model.gate_info import GateInfo
from ..torch_compat.process_group import world_size
from .backward_record import BackwardRecord, NodeRecord, largest
from .case import Case, Finding
from .dataflow import Dataflow
from .gradient_log import Overwriting
from .missing_causes import FrozenByScript, Gated, NoBackward, NotDifferentiable, Unknown
from .nonfinite import NonfiniteOrigins
from .switches import off_in_backward
from .tape import Call, Tape, Value
from .torch_functions import FLAT
from .value_causes import BadValue, Nonfinite, Overwritten, ZeroGradient
from .weight_writes import moved_by_hand
from .zeros import Turn, reason_of

BACKWARD, ROOT, HOOK, SUM = "backward", "root", "hook", "sum"


@dataclass(frozen=True)
class Fault:
    """Where it turned bad, and by what."""

    record: NodeRecord
    by: str
    """``backward``: of the node; ``root``: what the backward was given was bad already; ``hook``:
    one on the tensor changed it before it arrived; ``sum``: what arrived from several cancels."""


def is_nothing(size: float | None) -> bool:
    """Return whether a size is that of no gradient at all."""
    return size is None


def is_zero(size: float | None) -> bool:
    """Return whether a size is that of no gradient, or of all zeros."""
    return size is None or size == 0


def is_nonfinite(size: float | None) -> bool:
    """Return whether a size is that of a gradient with infinity or NaN in it."""
    return size is not None and not math.isfinite(size)


def arrived(leaves: Iterable[NodeRecord]) -> bool:
    """Return whether a gradient reached a leaf."""
    return any(above.sent(edge) is not None for leaf in leaves for above, edge in leaf.above)


def faults(leaves: Iterable[NodeRecord], bad: Callable[[float | None], bool]) -> list[Fault]:
    """Find where it turned bad on each way to a leaf; the nearest to the loss is the first."""
    leaves = list(leaves)
    several = sum(len(leaf.above) for leaf in leaves) > 1
    pending = [leaf for leaf in leaves if any(bad(above.sent(e)) for above, e in leaf.above)]
    pending = pending or leaves
    visited: set[int] = set()
    found: list[Fault] = []
    while pending:
        record = pending.pop()
        if id(record) in visited:
            continue
        visited.add(id(record))
        ways = [(above, above.sent(edge)) for above, edge in record.above]
        worse = [above for above, sent in ways if bad(sent)]
        if record.root:
            found.append(Fault(record, ROOT))
        elif len(worse) < len(ways) and (bad is not is_nonfinite or not worse):
            summed = several if record.leaf is not None else len(ways) > 1
            hooked = record.sums and not bad(largest(record.sums))
            found.append(Fault(record, SUM if summed and not hooked else HOOK))
            continue
        for above in worse:
            if bad(above.received):
                pending.append(above)
            else:
                found.append(Fault(above, BACKWARD))
    return sorted(found, key=lambda fault: fault.record.order or math.inf)


class GradientFaults:
    """Asks the backwards of one step about parameters that are connected with a loss."""

    def __init__(
        self,
        tape: Tape,
        backward_record: BackwardRecord,
        dataflow: Dataflow,
        names: Mapping[int, str],
        zeroing: Sequence[GateInfo],
    ) -> None:
        """``names``: of parameters and buffers, by ``id``; ``zeroing``: the closed gates
        that scale by zero."""
        self._tape = tape
        self._backward_record = backward_record
        self._dataflow = dataflow
        self._names = names
        self._zeroing = zeroing
        self._origins = NonfiniteOrigins(tape, dataflow, names)

    def gated(self, case: Case, gate: GateInfo) -> Finding:
        """Name the closed gate that kept it away."""
        kind, _, name = gate.site.partition(":")
        chain = self._tape.labels.get(name) if kind == LABEL else None
        place = None if chain is None else chain.place
        return Gated.found(case.name, gate, place, self._way(case))

    def not_arrived(self, case: Case) -> Finding | None:
        """Say why there is none, or where it went; None if somebody used it before."""
        way = self._way(case)
        records = self._records(case)
        if arrived(records):
            return self._gone(case, way)
        backwards = self._dataflow.losses_of(self._tape.leaves.get(case.key, []))
        if all(b.only is not None and case.key not in b.only for b in backwards):
            return NoBackward.of_other_inputs(case.name, backwards[0].chain.place, way)
        for fault in faults(records, is_nothing):
            call = self._tape.by_node.get(fault.record.key)
            if fault.record.ran and call is not None:
                value = _output(call, way)
                return NotDifferentiable.by_backward(case.name, call, way, value)
        return Unknown.found(
            case.name, "it is connected with the loss, and no gradient came", None, way
        )

    def zero(self, case: Case) -> Finding | None:
        """Say what made all zeros of it; None if they came after it had been used."""
        way = self._way(case)
        if self._was_used(case):
            return None
        overwriting = self._overwriting(case, is_zero, stays=False)
        if overwriting is not None:
            return Overwritten.by_zeros(case.name, overwriting, self._culprits(overwriting), way)
        for fault in self._faults(case, is_zero):
            call = self._tape.by_node.get(fault.record.key)
            if fault.by == ROOT:
                return ZeroGradient.from_root(case.name, self._begun(), way)
            if fault.by == SUM:
                above = [self._tape.by_node.get(each.key) for each, _ in fault.record.above]
                last = next((each for each in above if each is not None), None)
                if (gate := self._gate_at(case, call)) is not None:
                    return self.gated(case, gate)
                if last is not None:
                    return ZeroGradient.by_sum(case.name, call, last, way, _output(last, way))
            elif fault.by == HOOK:
                if (gate := self._gate_on(call)) is not None:
                    return self.gated(case, gate)
                return self._hooked(ZeroGradient, case, fault, way)
            elif call is not None:
                value = _output(call, way)
                if call.name in FLAT:
                    return NotDifferentiable.by_staircase(case.name, call, way, value)
                reason = reason_of(self._turn(case, call, fault.record))
                return ZeroGradient.by_call(case.name, call, way, value, reason)
        return Unknown.found(case.name, "its gradient is exactly zero", None, way)

    def nonfinite(self, case: Case) -> Finding:
        """Say where NaN or infinity in it came from; from there it goes on to the parameter."""
        way = self._way(case)
        overwriting = self._overwriting(case, is_nonfinite, stays=True)
        if overwriting is not None:
            culprits = self._culprits(overwriting)
            found = Overwritten.by_nonfinite(case.name, overwriting, culprits, way)
            return replace(found, goes_on=True)
        for fault in self._faults(case, is_nonfinite):
            found_by = self._spoilt_by(case, fault, way)
            if found_by is not None:
                return replace(found_by, goes_on=True)
        return Unknown.found(
            case.name, "its gradient is not finite, and none was seen to turn so", None, way
        )

    def _spoilt_by(self, case: Case, fault: Fault, way: list[Value]) -> Finding | None:
        call = self._tape.by_node.get(fault.record.key)
        value = None if call is None else _output(call, way)
        if fault.by == ROOT:
            return Nonfinite.from_root(case.name, self._begun(), way)
        if fault.by == HOOK:
            return self._hooked(Nonfinite, case, fault, way)
        if fault.by == SUM:
            return Nonfinite.by_sum(case.name, call, way, value)
        if call is None:
            return None
        return replace(self._origins.find(case, call, way), stop=value)

    def _gone(self, case: Case, way: list[Value]) -> Finding | None:
        """Say how a gradient that had arrived came away."""
        if moved_by_hand(case.key, self._tape, self._dataflow):
            return None
        came = [record.backward for record in self._records(case) if arrived([record])]
        backwards = [self._tape.backwards[number] for number in came]
        if all(backward.returns for backward in backwards):
            return NoBackward.not_stored(case.name, backwards[0].chain, way)
        cleared = self._tape.gradients.cleared(case.key)
        if cleared is not None:
            return NoBackward.cleared(case.name, cleared.chain.script, way)
        off = off_in_backward(case.key, self._tape)
        if off is not None:
            return FrozenByScript.in_backward(case.name, off)
        hook = self._tape.hooks.on_leaf(case.key)
        if hook is None and self._tape.keys.is_part(case.key):
            return NoBackward.not_reduced(case.name, backwards[-1].chain.script, way)
        return NoBackward.cleared(case.name, None if hook is None else hook.place, way)

    def _was_used(self, case: Case) -> bool:
        """Return whether the gradient was of use, and zeros came after that."""
        if self._tape.hooks.moved(case.key):
            return not is_zero(self._backward_record.arrived_at(case.key))
        return self._tape.gradients.was_applied(case.key, is_zero)

    def _overwriting(
        self, case: Case, bad: Callable[[float | None], bool], *, stays: bool
    ) -> Overwriting | None:
        """Find what overwrote a useful gradient; of a step that was cut short nobody knows."""
        if self._tape.full:
            return None
        return self._tape.gradients.overwriting(case.key, bad, stays=stays)

    def _culprits(self, overwriting: Overwriting) -> list[str]:
        """Name the parameters whose gradients were not finite before they were spread."""
        if overwriting.write is None:
            return []
        keys = self._tape.gradients.nonfinite_before(overwriting.write)
        return [self._names[key] for key in keys if key in self._names]

    def _hooked(self, cause: type[BadValue], case: Case, fault: Fault, way: list[Value]) -> Finding:
        """Name the hook that changed a gradient; on a parameter where one is known."""
        call = self._tape.by_node.get(fault.record.key)
        if fault.record.leaf is None:
            value = None if call is None else _output(call, way)
            hook = self._tape.hooks.on_node(fault.record.key)
            return cause.by_hook(case.name, call, way, value, hook)
        hook = self._tape.hooks.on_leaf(fault.record.leaf)
        if hook is not None:
            return cause.by_hook(case.name, None, way, None, hook)
        if cause is Nonfinite and world_size() > 1:
            return Nonfinite.from_other_ranks(case.name, self._begun(), way)
        why = f"it turned into {cause.values} inside of the backward, and no hook is on it"
        return Unknown.found(case.name, why, self._begun(), way)

    def _gate_on(self, call: Call | None) -> GateInfo | None:
        """Find the gate that makes zeros of what arrives at what ``call`` made, if it is one."""
        site = f"{OUTPUT}:{None if call is None else call.module}"
        others = [gate for gate in self._zeroing if not gate.site.startswith(f"{OUTPUT}:")]
        alone = others[0] if len(others) == 1 else None
        return next((gate for gate in self._zeroing if gate.site == site), alone)

    def _gate_at(self, case: Case, call: Call | None) -> GateInfo | None:
        """Find the gate that makes zeros of what arrives at a parameter, or at a call's result."""
        site = f"{PARAMETER}:{case.name}" if call is None else f"{OUTPUT}:{call.module}"
        return next((gate for gate in self._zeroing if gate.site == site), None)

    def _turn(self, case: Case, call: Call, record: NodeRecord) -> Turn:
        """Gather what is known of a call that made zeros of a gradient."""
        flow = self._dataflow.flow(call.outputs)
        later = {v.made_by.name for v in flow if v.made_by not in (None, call) and v.flows}
        return Turn(case.name, call, record.received, frozenset(later), self._names)

    def _begun(self) -> Place | None:
        return self._dataflow.losses[0].chain.place

    def _faults(self, case: Case, bad: Callable[[float | None], bool]) -> list[Fault]:
        """Find where it turned bad, in the backwards since which the gradient is so."""
        kept = self._tape.gradients.backwards_of(case.key, bad)
        return faults([r for r in self._records(case) if r.backward in kept], bad)

    def _records(self, case: Case) -> list[NodeRecord]:
        return self._backward_record.leaves.get(case.key, [])

    def _way(self, case: Case) -> list[Value]:
        return self._dataflow.way(self._tape.leaves.get(case.key, []))


def _output(call: Call, way: Sequence[Value]) -> Value | None:
    """Find the value of a way that a call made."""
    return next((value for value in way if value.made_by is call), None)
