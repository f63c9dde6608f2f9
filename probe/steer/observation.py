"""Observes what flows into modules that are to run without a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import nn

from ..base.guard import Guard
from ..base.undo import whole
from ..freeze.freezer import Freezer
from ..model.modules import module_paths
from ..model.selection import Selection
from ..model.table import ParameterTable
from ..model.upstream import Upstream, UpstreamObserver
from .names import listed


class Observation:
    """What flowed into some modules in the forwards since it was begun."""

    def __init__(self, table: ParameterTable, ended: Callable[[Observation], None]) -> None:
        """``ended``: told once it watches no longer."""
        self._observers: dict[str, UpstreamObserver] = {}
        """By the path of the module that each watches."""
        self._table = table
        self._ended = ended

    def add(self, path: str, observer: UpstreamObserver) -> None:
        """Take in what watches the module of this path."""
        self._observers[path] = observer

    def end(self) -> None:
        """Watch no longer. Idempotent."""
        for observer in self._observers.values():
            observer.remove()
        self._ended(self)

    def upstream(self) -> Upstream:
        """Return what flowed into all of them; not called, where one of them was not."""
        seen = [observer.seen() for observer in self._observers.values()]
        return Upstream(
            called=all(each.called for each in seen),
            indexes=sorted({index for each in seen for index in each.indexes}),
            foreign=any(each.foreign for each in seen),
        )

    def problem(self) -> str | None:
        """Say why the modules cannot run without a graph, as far as was observed."""
        for path, observer in self._observers.items():
            upstream = observer.seen()
            shown = repr(path) if path else "the model"
            if not upstream.called:
                return (
                    f"{shown} was not seen to run in the step that was to show what flows into "
                    "it, so nobody knows what running it without a graph would cut; "
                    "use mode 'grad'."
                )
            if upstream.indexes:
                return (
                    f"{shown} cannot run without a graph: what flows into it carries the "
                    f"gradient of {listed(self._table, upstream.indexes)}, which would "
                    "lose theirs; freeze those too, or use mode 'grad'."
                )
            if upstream.foreign:
                return (
                    f"{shown} cannot run without a graph: what flows into it carries the "
                    "gradient of a tensor that is no parameter of this model, which would be "
                    "cut off; use mode 'grad'."
                )
        return None


class Observing:
    """Begins observations of the modules of a run, and knows those that have not ended."""

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        table: ParameterTable,
        freezer: Freezer,
        guard: Guard,
    ) -> None:
        self._models = models
        self._table = table
        self._freezer = freezer
        self._guard = guard
        self._begun: list[Observation] = []

    def begin(self, selection: Selection) -> Observation:
        """Watch the modules of a selection; its own parameters and the probe's leaf aside."""
        paths = module_paths(self._models)
        own = [self._table.parameters[index] for index in selection.indexes]
        ignored = [self._freezer.anchor.leaf, *own]
        observation = Observation(self._table, self._forget)
        self._begun.append(observation)
        with whole([observation.end]):
            for path in selection.modules:
                observer = UpstreamObserver([paths[path]], self._table, self._guard, ignored)
                with whole([observer.remove]):
                    observation.add(path, observer)
        return observation

    def stop(self) -> None:
        """End all that have not ended, whoever began them."""
        for observation in list(self._begun):
            observation.end()

    def _forget(self, observation: Observation) -> None:
        if observation in self._begun:
            self._begun.remove(observation)
