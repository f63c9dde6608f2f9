"""One traced step, from its beginning to what it says of each parameter."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..base.guard import Guard
from ..base.source import Callers, snippet
from ..measure.magnitude import read, state_word
from ..model.gate_info import GateInfo
from .diagnosis import Diagnosis
from .explanation import Explanation
from .finding import Finding
from .module_index import ModuleIndex
from .recorder import Tracer
from .route import stations
from .subject import Subject
from .unregistered import find_strays
from .wording import unknown

SELDOM = 50_000
"""Objects made in a traced step from one small garbage collection to the next."""
LONGEST = 2.0
"""Seconds that are spent on finding causes: a live job waits meanwhile."""


class Trace:
    """Watches this thread from :meth:`start` to :meth:`stop`; then it can be asked."""

    def __init__(
        self, models: Mapping[str, nn.Module], parameters: Iterable[Tensor], guard: Guard
    ) -> None:
        callers = Callers()
        self._index = ModuleIndex(models, callers)
        self._tracer = Tracer(parameters, self._index, callers, guard)
        self._stance: Any = None
        self._running = False
        self._began = 0.0
        self._thresholds = (0, 0, 0)
        self.seconds = 0.0
        """What the traced step took."""

    def start(self) -> None:
        """Watch; compiled functions run eagerly until :meth:`stop`."""
        # Where nothing has imported Dynamo, nothing is compiled, and the import takes seconds.
        # Another trace may have set the stance before; then it is that one's to put back.
        dynamo = sys.modules.get("torch._dynamo.eval_frame")
        if dynamo is not None and dynamo._stance.stance != "force_eager":
            self._stance = torch.compiler.set_stance("force_eager")
        # A tape is many small objects: with the usual thresholds the garbage collector would walk
        # the whole heap several times in one step, 100 ms each.
        self._thresholds = gc.get_threshold()
        if self._thresholds[0]:
            gc.set_threshold(max(SELDOM, self._thresholds[0]), *self._thresholds[1:])
        self._began = time.perf_counter()
        self._tracer.start()
        self._running = True

    def pause(self, paused: bool) -> None:
        """Do not watch what an optimizer does in its step."""
        self._tracer.asleep = paused

    def stop(self) -> None:
        """Watch no longer. Idempotent."""
        if not self._running:
            return
        self._running = False
        self._tracer.stop()
        self.seconds = time.perf_counter() - self._began
        gc.set_threshold(*self._thresholds)
        if self._stance is not None:
            self._stance.__exit__(None, None, None)

    def explain(
        self,
        subjects: Iterable[Subject],
        names: Mapping[int, str],
        in_optimizer: Collection[int],
        zeroing: Sequence[GateInfo] = (),
    ) -> dict[str, Explanation]:
        """What is wrong with each parameter, by name; the healthy ones are left out. Asked once.

        ``names``: of the parameters, and ``in_optimizer``: those that an optimizer holds, both by
        ``id``; ``zeroing``: the closed gates that scale by zero.
        """
        tape = self._tracer.tape
        self._settle()
        diagnosis = Diagnosis(
            tape, self._tracer.backflow, self._tracer.modules, self._index, names, zeroing
        )
        found: dict[str, Explanation] = {}
        deadline = time.monotonic() + LONGEST
        for subject in subjects:
            if subject.well:
                continue
            if time.monotonic() < deadline:
                finding = diagnosis.of(subject)
            else:
                finding = unknown(subject.name, "there were too many to look at all of them")
            if finding is not None:
                found[subject.name] = _explanation(subject.name, finding)
        strays = find_strays(tape, diagnosis.lineage, self._index, in_optimizer)
        for name, finding in strays.items():
            found[name] = _explanation(name, finding)
        tape.clear()
        self._tracer.backflow.clear()
        return found

    def state(self, parameter: Tensor) -> str:
        """What arrived at a parameter, in the words of a sample; it may be gone since."""
        self._settle()
        size = self._tracer.backflow.arrived_at(id(parameter))
        if size is None:
            return "absent"
        return state_word(size)

    def owners(self, names: Iterable[str]) -> tuple[str, ...]:
        """The modules that hold a parameter of these names."""
        paths = (name.rpartition(".")[0] for name in names)
        return tuple(path for path in paths if path in self._index.modules)

    def _settle(self) -> None:
        tape = self._tracer.tape
        values = [value for value in tape.values if isinstance(value.size, Tensor)]
        sizes = read(value.size for value in values if isinstance(value.size, Tensor))
        for value, size in zip(values, sizes, strict=True):
            value.size = size
        self._tracer.backflow.settle()


def _explanation(name: str, finding: Finding) -> Explanation:
    place = finding.place
    return Explanation(
        finding.cause,
        None if place is None else place.text,
        finding.detail,
        finding.advice,
        stations(name, finding),
        None if place is None else snippet(place),
    )
