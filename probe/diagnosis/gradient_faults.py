"""What became of a gradient that was on its way: lost, zeros, not finite, or used elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..base.source import Place
from ..gates.sites import LABEL, OUTPUT
from ..model.gate_info import GateInfo
from . import value_wording, wording
from .backward_record import Backflow, Passage
from .dataflow import Lineage
from .finding import Finding
from .nonfinite import origin, size_of
from .stoppages import (
    BACKWARD,
    HOOK,
    ROOT,
    SUM,
    arrived,
    is_nonfinite,
    is_nothing,
    is_zero,
    stoppages,
)
from .subject import Subject
from .tape import Call, Tape, Value
from .torch_functions import FLAT, PRODUCTS


class GradientFaults:
    """Asks the backwards of one step about parameters that are connected with a loss."""

    def __init__(
        self,
        tape: Tape,
        backflow: Backflow,
        lineage: Lineage,
        names: Mapping[int, str],
        zeroing: Sequence[GateInfo],
    ) -> None:
        """``names``: of the parameters, by ``id``; ``zeroing``: the closed gates
        that scale by zero."""
        self._tape = tape
        self._backflow = backflow
        self._lineage = lineage
        self._names = names
        self._zeroing = zeroing

    def gated(self, subject: Subject, gate: GateInfo) -> Finding:
        """A closed gate kept it away."""
        kind, _, name = gate.site.partition(":")
        chain = self._tape.labels.get(name) if kind == LABEL else None
        place = None if chain is None else chain.place
        return wording.gated(subject.name, gate, place, self._way(subject))

    def not_arrived(self, subject: Subject) -> Finding | None:
        """There is none, or it is gone; None if somebody used it before it went."""
        way = self._way(subject)
        passages = self._passages(subject)
        if arrived(passages):
            return self._gone(subject, way)
        if all(b.only is not None and subject.key not in b.only for b in self._tape.backwards):
            return wording.left_out(subject.name, self._tape.backwards[0].chain.place, way)
        for stop in stoppages(passages, is_nothing):
            call = self._tape.by_node.get(stop.passage.key)
            if stop.passage.ran and call is not None:
                value = _output(call, way)
                return wording.returned_nothing(subject.name, call, way, value)
        return wording.unknown(
            subject.name, "it is connected with the loss, and no gradient came", None, way
        )

    def zero(self, subject: Subject) -> Finding:
        """It is all zeros."""
        way = self._way(subject)
        for stop in stoppages(self._passages(subject), is_zero):
            call = self._tape.by_node.get(stop.passage.key)
            if stop.by == ROOT:
                return value_wording.bad_from_root(subject.name, self._begun(), way, zero=True)
            if stop.by == SUM:
                above = [self._tape.by_node.get(each.key) for each, _ in stop.passage.above]
                last = next((each for each in above if each is not None), None)
                if last is not None:
                    return value_wording.cancels(subject.name, call, last, way, _output(last, way))
            elif stop.by == HOOK:
                if (gate := self._gate_on(call)) is not None:
                    return self.gated(subject, gate)
                value = None if call is None else _output(call, way)
                return value_wording.made_bad_by_hook(subject.name, call, way, value, zero=True)
            elif call is not None:
                value = _output(call, way)
                if call.name in FLAT:
                    return value_wording.flat(subject.name, call, way, value)
                factor = self._zero_factor(call)
                return value_wording.zero_gradient(subject.name, call, way, value, factor)
        return wording.unknown(subject.name, "its gradient is exactly zero", None, way)

    def nonfinite(self, subject: Subject) -> Finding:
        """It holds NaN or infinity."""
        way = self._way(subject)
        for stop in stoppages(self._passages(subject), is_nonfinite):
            call = self._tape.by_node.get(stop.passage.key)
            if stop.by == BACKWARD and call is not None:
                born = origin(call)
                first = born.call or call
                return value_wording.nonfinite(subject.name, first, way, _output(first, way), born)
            if stop.by == ROOT:
                return value_wording.bad_from_root(subject.name, self._begun(), way, zero=False)
            if stop.by == HOOK:
                value = None if call is None else _output(call, way)
                return value_wording.made_bad_by_hook(subject.name, call, way, value, zero=False)
        return wording.unknown(
            subject.name, "its gradient is not finite, and none was seen to turn so", None, way
        )

    def _gone(self, subject: Subject, way: list[Value]) -> Finding | None:
        """It arrived, and is not there any more."""
        if self._written_to(subject):
            return None
        taken = [b for b in self._tape.backwards if b.only is not None and subject.key in b.only]
        if taken and all(b.returns for b in taken) and not self._stored():
            return wording.taken_by_nobody(subject.name, taken[0].chain, way)
        chain = self._tape.cleared.get(subject.key)
        return wording.cleared(subject.name, None if chain is None else chain.place, way)

    def _written_to(self, subject: Subject) -> bool:
        """Whether the step itself wrote to the parameter: it applied the gradient by hand."""
        values = self._tape.leaves.get(subject.key, [])
        if any(value.made_by is not None for value in values[1:]):
            return True
        for call in self._tape.calls:  # p.data.sub_(lr * g)
            made_by = call.inputs[0].made_by if call.inputs and call.name.endswith("_") else None
            if made_by is None or made_by.name not in ("data", "detach"):
                continue
            if any(value in values for value in made_by.inputs):
                return True
        return False

    def _stored(self) -> bool:
        """Whether a backward put gradients into every ``.grad``."""
        return any(b.only is None for b in self._tape.backwards)

    def _gate_on(self, call: Call | None) -> GateInfo | None:
        """The gate that makes zeros of what arrives at what ``call`` made, if it is one."""
        site = f"{OUTPUT}:{None if call is None else call.module}"
        others = [gate for gate in self._zeroing if not gate.site.startswith(f"{OUTPUT}:")]
        alone = others[0] if len(others) == 1 else None
        return next((gate for gate in self._zeroing if gate.site == site), alone)

    def _zero_factor(self, call: Call) -> str | None:
        """What was all zeros when the call multiplied by it: a parameter's name, or its input."""
        if call.name not in PRODUCTS:
            return None
        factors = call.inputs[1:] if call.name.startswith("add") else call.inputs[:2]
        for value in factors:
            for held in (value, *value.flows):  # through a transpose
                name = None if held.leaf is None else self._names.get(held.leaf)
                if name is not None and held.size == 0:
                    return f"`{name}`"
        return "what goes into it" if any(size_of(value) == 0 for value in factors) else None

    def _begun(self) -> Place | None:
        return self._tape.backwards[0].chain.place

    def _passages(self, subject: Subject) -> list[Passage]:
        return self._backflow.leaves.get(subject.key, [])

    def _way(self, subject: Subject) -> list[Value]:
        return self._lineage.way(self._tape.leaves.get(subject.key, []))


def _output(call: Call, way: Sequence[Value]) -> Value | None:
    """The value of a way that a call made."""
    return next((value for value in way if value.made_by is call), None)
