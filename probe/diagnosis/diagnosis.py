"""Why a parameter has no useful gradient: the verdict on one traced step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..base.source import CHECKPOINT, Place
from ..model.gate_info import GateInfo
from .backward_check import Deviation
from .backward_record import BackwardRecord
from .case import Case, Finding
from .dataflow import Dataflow
from .escaped_numbers import join_by_variables
from .gradient_faults import GradientFaults
from .missing_causes import (
    Detached,
    FrozenByCommand,
    FrozenByScript,
    ModuleNotCalled,
    NoBackward,
    NoGrad,
    NotDifferentiable,
    NotInLoss,
    NotInOptimizer,
    ParameterNotUsed,
    Unknown,
)
from .modules import ModuleCalls, ModuleIndex
from .phrases import OtherCuts
from .switches import last_switched_off, off_when_used
from .tape import Call, Tape, Value
from .torch_functions import DETACHES, FLAT, LEAVES_TORCH, NO_DERIVATIVE
from .value_causes import WrongBackward
from .weight_writes import moved_by_hand, used_otherwise


class Diagnosis:
    """Asks the tape of one step, once it is complete and its sizes are read."""

    def __init__(
        self,
        tape: Tape,
        backward_record: BackwardRecord,
        called: ModuleCalls,
        modules: ModuleIndex,
        names: Mapping[int, str],
        zeroing: Sequence[GateInfo],
    ) -> None:
        """``names``: of the parameters, by ``id``; ``zeroing``: the closed gates
        that scale by zero."""
        self._tape = tape
        self._called = called
        self._modules = modules
        self._direct: dict[str, bool] = {}
        join_by_variables(tape)
        self.dataflow = Dataflow(tape, names)
        numbers = [tape.backwards.index(backward) for backward in self.dataflow.losses]
        backward_record.keep(numbers)
        known = {**modules.buffers(), **names}
        self._faults = GradientFaults(tape, backward_record, self.dataflow, known, zeroing)

    def of(self, case: Case) -> Finding | None:
        """Find the cause for one parameter; None for one that is well."""
        if case.state == "frozen":
            return self._frozen(case)
        if case.state == "gated" and case.gate is not None:
            return self._faults.gated(case, case.gate)
        if case.state == "present":
            return case.update if case.in_optimizer else self._not_in_optimizer(case)
        if case.state == "zero":
            return self._faults.zero(case)
        if case.state == "nonfinite":
            return self._faults.nonfinite(case)
        return self._missing(case)

    def of_functions(self, case: Case, deviations: Iterable[Deviation]) -> Finding | None:
        """Find a custom function with a wrong backward through which a gradient comes."""
        if case.state in ("frozen", "gated", "nonfinite"):
            return None
        values = self._values(case)
        nodes = {value.node for value in self.dataflow.flow(values)} | {case.key}
        for each in deviations:
            made = self._tape.at_node.get(each.applied.node)
            source = each.applied.sources[each.position]
            if source in nodes and made is not None and self.dataflow.reaches([made]):
                return WrongBackward.found(case.name, each, self.dataflow.way(values))
        return None

    # What the script, a command or a gate wanted.

    def _frozen(self, case: Case) -> Finding:
        if case.freeze is not None:
            return FrozenByCommand.found(case.name, case.freeze)
        if case.update is not None:
            return case.update
        return FrozenByScript.found(case.name, last_switched_off(case.key, self._tape))

    def _not_in_optimizer(self, case: Case) -> Finding:
        values = self._values(case)
        return NotInOptimizer.found(case.name, self.dataflow.way(values))

    # No gradient at all.

    def _missing(self, case: Case) -> Finding | None:
        if self._tape.full:
            return Unknown.found(
                case.name, "the step is too long, or its graph too deep, to be traced whole"
            )
        if not self._tape.calls:
            return Unknown.found(case.name, "the step was made in another thread")
        values = self._values(case)
        if not used_otherwise(case.key, self._tape, self.dataflow):
            return self._not_used(case)
        off = off_when_used(case.key, self._tape, self.dataflow)
        if off is not None:
            return FrozenByScript.while_used(case.name, off)
        if self.dataflow.reaches(values):
            if not self.dataflow.losses:
                return self._no_backward(case, self.dataflow.roots)
            return self._faults.not_arrived(case)
        if moved_by_hand(case.key, self._tape, self.dataflow):
            return None
        flow = self.dataflow.flow(value for value in values if value.carries)
        cuts = self.dataflow.cuts(flow)
        if cuts:
            return self._cut(case, values, cuts)
        left = self._left_torch(case, flow)
        if left is not None:
            return left
        ends = [value for value in flow if self.dataflow.is_end(value)]
        if ends and all(not value.shape for value in ends):
            return self._no_backward(case, ends)
        return self._not_in_loss(case, flow, values)

    def _no_backward(self, case: Case, ends: Sequence[Value]) -> Finding:
        """Name the value that lacks a backward; ``ends``: those that could have had one."""
        way = self.dataflow.between(self._values(case), ends[0])
        place = _place(ends[0].made_by) if len(ends) == 1 else None
        return NoBackward.not_called(case.name, place, bool(self._tape.backwards), way)

    def _not_used(self, case: Case) -> Finding:
        owners = [self._modules.owner(path) for path in case.owners]
        hidden = [self._called.hidden(self._modules.modules[path]) for path in owners]
        if not owners or any(hidden):
            why = next(filter(None, hidden), "its module was not there when the step began")
            return Unknown.found(case.name, why)
        running = [path for path in owners if self._was_called(path)]
        if running:
            path = running[0]
            place = self._modules.forward_of(path)
            called = self._called.called.get(id(self._modules.modules[path]))
            if place is None and called is not None:
                place = called.place
            return ParameterNotUsed.found(case.name, self._modules.name(path), place)
        path = owners[0]
        above = self._modules.above(path)
        while above is not None and not self._was_called(above):
            path, above = above, self._modules.above(above)
        name = self._modules.name(path)
        caller, place = above, None
        while caller is not None and place is None:
            place = self._modules.forward_of(caller)
            if place is None:
                caller = self._modules.above(caller)
        told = None if caller is None else self._modules.name(caller)
        return ModuleNotCalled.found(case.name, name, told, place, case.useful_in)

    def _cut(
        self, case: Case, values: Sequence[Value], cuts: Sequence[tuple[Value, Value]]
    ) -> Finding:
        after = cuts[0][1]
        call = after.made_by
        way = self.dataflow.way(values, through=after)
        if call is None:
            return Unknown.found(case.name, "something that torch does not show cut it off")
        more = OtherCuts(
            _places([other for _, other in cuts[1:]], call),
            _places(self.dataflow.cut_again(after), call),
        )
        if call.switched_off is not None:
            chain = call.switched_off.chain or call.chain
            reentrant = CHECKPOINT in chain.through
            if reentrant and self._recomputed(after):
                return Unknown.found(
                    case.name,
                    "it is used inside a reentrant checkpoint, which hides its inside; pass "
                    "use_reentrant=False to see it",
                )
            if reentrant:
                return NoGrad.by_checkpoint(case.name, chain, way, after)
            return NoGrad.by_switch(case.name, call.switched_off.by, chain, way, after, more)
        if call.name == "grad" and after.floating:
            kind = NotInLoss if after.carries else Detached
            return kind.by_grad(case.name, call, way, after)
        if call.name in LEAVES_TORCH:
            return Detached.by_numbers(case.name, call, self._back(after), way, after, more)
        if call.name in DETACHES and after.floating:
            return Detached.by_call(case.name, call, way, after, more)
        if not after.floating or call.name in NO_DERIVATIVE | FLAT or call.custom:
            return NotDifferentiable.by_call(case.name, call, way, after, more)
        return Unknown.found(
            case.name, f"`{call.name}` at {_text(call)} hands on no gradient", call.place, way
        )

    def _recomputed(self, value: Value) -> bool:
        """Return whether what came of a value in a reentrant checkpoint carries gradient again."""
        pending, seen = [value], {id(value)}
        while pending:
            current = pending.pop()
            for after in self.dataflow.next_of(current):
                made_by = after.made_by
                if made_by is not None and made_by.custom and "Checkpoint" in made_by.name:
                    return True
                if id(after) not in seen:
                    seen.add(id(after))
                    pending.append(after)
        return False

    def _back(self, left: Value) -> Call | None:
        """Find the call by which numbers come back on their way to the loss."""
        return next((v.made_by for v in self.dataflow.way([left])[1:]), None)

    def _left_torch(self, case: Case, flow: Sequence[Value]) -> Finding | None:
        """Find the only place where a flow left torch, if a loss was made of nothing in torch."""
        if any([*root.flows, *root.lost, *root.plain] for root in self.dataflow.roots):
            return None
        inside = {id(value): value for value in flow}
        left = [
            (inside[id(earlier)], call)
            for value, call in self._tape.escapes
            for earlier in _past(value)
            if id(earlier) in inside
        ]
        if len({call.place for _, call in left}) != 1:
            return None
        last, call = left[0]
        way = self.dataflow.between(self._values(case), last)
        return Detached.by_numbers(case.name, call, None, way, last, OtherCuts())

    def _not_in_loss(self, case: Case, flow: Sequence[Value], values: Sequence[Value]) -> Finding:
        uses = [*flow, *(after for value in values for after in self.dataflow.next_of(value))]
        if any(value.inside_transform for value in uses):
            why = "it is used inside of torch.func, and what came out of that cannot be followed"
            return Unknown.found(case.name, why)
        if self.dataflow.of_sharded:
            why = "the step computes with DTensors, and what goes into one cannot be followed"
            return Unknown.found(case.name, why)
        calls = [value.made_by for value in flow if value.made_by is not None and value.flows]
        if not calls:
            calls = [
                v.made_by for value in values for v in self.dataflow.next_of(value) if v.made_by
            ]
        last = max(calls, key=lambda call: call.index, default=None)
        roots = [backward.chain.place for backward in self._tape.backwards]
        end = next((v for v in reversed(flow) if v.made_by is last), None)
        way = [] if end is None else self.dataflow.between(values, end)
        return NotInLoss.found(case.name, last, roots[0] if roots else None, way)

    def _values(self, case: Case) -> list[Value]:
        return self._tape.leaves.get(case.key, [])

    def _was_called(self, path: str) -> bool:
        return id(self._modules.modules[path]) in self._called.called or self._ran_directly(path)

    def _ran_directly(self, path: str) -> bool:
        """Return whether ``module.forward(x)`` ran, of which no hook tells: it used parameters."""
        if path not in self._direct:
            code = self._modules.code_of(path)
            calls = [
                call
                for parameter in self._modules.modules[path].parameters()
                for value in self._tape.leaves.get(self._tape.keys.of(parameter), ())
                for after in self.dataflow.next_of(value)
                if (call := after.made_by) is not None
            ]
            through = any(call.chain.has(code) for call in calls) if code is not None else False
            self._direct[path] = through
        return self._direct[path]


def _past(value: Value) -> list[Value]:
    """Find what numbers came from: a few steps back, through what lost the gradient."""
    found: list[Value] = []
    pending = [value]
    while pending and len(found) < 1000:
        current = pending.pop()
        found += current.lost
        pending += current.plain
    return found


def _places(values: Iterable[Value], first: Call) -> list[Place]:
    """List the places that made values, each once, without that of the first cut."""
    places = [place for value in values if (place := _place(value.made_by)) is not None]
    return [place for place in dict.fromkeys(places) if place != first.place]


def _place(call: Call | None) -> Place | None:
    return None if call is None else call.place


def _text(call: Call) -> str:
    return "an unknown line" if call.place is None else call.place.text
