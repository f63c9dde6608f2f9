"""One traced step, from its beginning to what it says of each parameter."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from torch import Tensor, nn

from ..base.guard import Guard
from ..base.source import Callers
from ..base.states import State
from ..base.undo import Undo
from ..measure.magnitude import state_word
from ..model.gate_info import GateInfo
from ..torch_compat.dynamo import force_eager
from .backward_check import Deviation
from .case import Case, Finding
from .diagnosis import Diagnosis
from .explanation import Explanation, explanation_of
from .missing_causes import Unknown
from .modules import ModuleIndex
from .recorder import Listeners, TapeRecorder
from .unregistered import find_unregistered

Thresholds: TypeAlias = tuple[int, int, int]
"""Those of the garbage collector."""
SELDOM = 50_000
"""Objects made in a traced step from one small garbage collection to the next."""
LONGEST = 2.0
"""Seconds that are spent on finding causes: a live job waits meanwhile."""


class Trace:
    """Watches this thread from :meth:`start` to :meth:`stop`; then it can be asked."""

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        parameters: Iterable[Tensor],
        guard: Guard,
        strange: Callable[[Tensor], None] = lambda _: None,
    ) -> None:
        """``strange``: told of every leaf that is used and is none of ``parameters``."""
        callers = Callers()
        self._guard = guard
        self._index = ModuleIndex(models, callers)
        self._recorder = TapeRecorder(parameters, self._index, callers, guard, strange)
        self.keys = self._recorder.tape.keys
        self._undo: Undo | None = None
        self._began = 0.0
        self._sizes_are_read = False
        self.seconds = 0.0
        """What the traced step took."""

    def start(self) -> None:
        """Watch; compiled functions run eagerly until :meth:`stop`."""
        # Another trace may have set these before; then they are that one's to put back, in
        # whatever order the two end.
        stance, thresholds = force_eager(), gc.get_threshold()
        raises = 0 < thresholds[0] < SELDOM
        # First: what has started when the rest fails is stopped, and so it is where nobody ever
        # stops a trace and all that leads to it is dropped.
        listeners = self._recorder.listeners
        before = thresholds if raises else None
        self._undo = Undo(self._guard, self, _put_back, stance, before, listeners)
        # A tape is many small objects: with the usual thresholds the garbage collector would walk
        # the whole heap several times in one step, 100 ms each.
        if raises:
            gc.set_threshold(SELDOM, *thresholds[1:])
        self._began = time.perf_counter()
        self._recorder.start()

    def pause(self, paused: bool) -> None:
        """Leave out what an optimizer does in its step."""
        self._recorder.paused = paused

    def stop(self) -> None:
        """Watch no longer. Idempotent."""
        if self._undo is None or not self._undo.is_due:
            return
        self._recorder.stop()
        self.seconds = time.perf_counter() - self._began
        self._undo()

    def explain(
        self,
        cases: Iterable[Case],
        names: Mapping[int, str],
        in_optimizer: Collection[int],
        zeroing: Sequence[GateInfo] = (),
        deviations: Sequence[Deviation] = (),
    ) -> dict[str, Explanation]:
        """Say what is wrong with each parameter, by name; healthy ones are left out. Asked once.

        ``names``: of the parameters, and ``in_optimizer``: those that an optimizer holds, both by
        ``id``; ``zeroing``: the closed gates that scale by zero; ``deviations``: custom functions
        whose backward was compared and is wrong.
        """
        tape = self._recorder.tape
        self._read_sizes()
        diagnosis = Diagnosis(
            tape,
            self._recorder.backward_record,
            self._recorder.modules,
            self._index,
            names,
            zeroing,
        )
        deadline = time.monotonic() + LONGEST
        found: dict[str, Explanation | None] = {}
        for case in cases:
            wrong = diagnosis.of_functions(case, deviations) if deviations else None
            if wrong is not None:
                found[case.name] = explanation_of(case.name, wrong)
            elif case.well:
                continue
            elif time.monotonic() < deadline:
                found[case.name] = self._explain_one(case.name, partial(diagnosis.of, case))
            else:
                late = Unknown.found(case.name, "there were too many to look at all of them")
                found[case.name] = explanation_of(case.name, late)
        for each in find_unregistered(tape, self._index, in_optimizer, self._guard):
            find = partial(each.finding, tape, diagnosis.dataflow)
            found[each.name] = self._explain_one(each.name, find)
        tape.clear()
        self._recorder.backward_record.clear()
        return {name: each for name, each in found.items() if each is not None}

    def _explain_one(self, name: str, find: Callable[[], Finding | None]) -> Explanation | None:
        """Explain one parameter; a fault in that is its own explanation, and takes no other."""
        with self._guard.attempt() as attempt:
            finding = find()
            return None if finding is None else explanation_of(name, finding)
        return explanation_of(name, Unknown.found(name, attempt.fault))

    @property
    def is_empty(self) -> bool:
        """Return whether nothing at all was seen: no call and no backward."""
        tape = self._recorder.tape
        return not (tape.calls or tape.backwards or self._recorder.modules.elsewhere)

    def state(self, parameter: Tensor) -> str:
        """Return what was applied to a parameter, in the words of a sample; it is gone since."""
        self._read_sizes()
        size = self._recorder.backward_record.arrived_at(id(parameter))
        if size is None or self._recorder.tape.gradients.is_unused(parameter):
            return "absent"
        return state_word(size)

    def state_of_whole(self, parameter: Tensor, of_part: str) -> str:
        """Return the state of a gradient of which this rank keeps a part in the state given.

        What arrived at the whole parameter here tells what it can; other ranks are not asked.
        """
        self._read_sizes()
        part = {State.ZERO.word: 0.0, State.NONFINITE.word: math.nan}.get(of_part, 1.0)
        arrived = self._recorder.backward_record.arrived_at
        return state_word(self._recorder.tape.gradients.size_of_whole(id(parameter), part, arrived))

    def owners(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the modules that hold a parameter of these names."""
        paths = (name.rpartition(".")[0] for name in names)
        return tuple(path for path in paths if path in self._index.modules)

    def _read_sizes(self) -> None:
        if self._sizes_are_read:
            return
        self._sizes_are_read = True
        record = self._recorder.backward_record
        with self._guard:  # without sizes much can still be said
            self._recorder.tape.read_sizes()
        with self._guard:
            record.read_sizes()
            self._recorder.tape.gradients.complete(record.arrived_at)


def _put_back(stance: Any, thresholds: Thresholds | None, listeners: Listeners) -> None:
    """Leave torch and Python as they were before a trace, which may be gone."""
    listeners.stop()
    if thresholds is not None:
        gc.set_threshold(*thresholds)
    if stance is not None:
        stance.__exit__(None, None, None)
