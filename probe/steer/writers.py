"""Finds out who wrote to frozen parameters, by PyTorch's count of writes."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ..base.undo import Restore
from ..model.table import ParameterTable
from ..torch_compat.versions import version

SCRIPT = "the script's own code"
UNCOUNTED = "a write through .data or the raw storage, which PyTorch does not count"


class Writers:
    """Reads the version counters of parameters between the moments at which somebody may write.

    A counter costs 50 ns to read and counts every write but those through ``.data``.
    """

    def __init__(self, table: ParameterTable) -> None:
        self._table = table
        self._versions: dict[int, int] = {}
        """Of each watched parameter, as of the last look."""
        self._writers: dict[int, str] = {}
        """Who wrote to a watched parameter since it was frozen."""
        self._stepped: set[int] = set()
        """Those that an optimizer's step has written to since they are watched."""
        self.pressing = False
        """Whether every step has to be looked at, sampled or not."""
        self._looked = 0
        """The boundary of the last look."""

    @property
    def watching(self) -> bool:
        """Whether there is any parameter whose writes are counted."""
        return bool(self._versions)

    @property
    def written(self) -> Collection[int]:
        """The watched parameters that somebody wrote to."""
        return self._writers.keys()

    def snapshot(self) -> Restore:
        """Return what puts back which parameters are watched, and what was seen of them."""
        versions, writers = dict(self._versions), dict(self._writers)

        def restore() -> None:
            self._versions, self._writers = versions, writers

        return restore

    def watch(self, indexes: Iterable[int]) -> None:
        """Count writes to parameters from here on."""
        for index in indexes:
            self._versions[index] = version(self._table.parameters[index])
            self._writers.pop(index, None)
            self._stepped.discard(index)

    def was_stepped(self, index: int) -> bool:
        """Return whether an optimizer's step has written to a parameter since it is watched."""
        return index in self._stepped

    def look(self, writer: str, step: int, *, stepped: bool = False) -> None:
        """Look what was written since the last look: by ``writer``, if that was a step before.

        ``stepped``: by an optimizer's step.
        """
        for index, before in self._versions.items():
            now = version(self._table.parameters[index])
            if now != before:
                self._versions[index] = now
                if stepped:
                    self._stepped.add(index)
                if step > self._looked + 1:
                    writer = f"something between the steps {self._looked} and {step}"
                self._writers.setdefault(index, writer)

    def look_at_boundary(self, step: int) -> None:
        """Look once more at the end of ``step``: what wrote since is the script itself."""
        self.look(SCRIPT, step)
        self._looked = step

    def writer_of(self, index: int) -> str:
        """Return who wrote to a parameter that has changed."""
        return self._writers.get(index, UNCOUNTED)

    def forgive(self, indexes: Iterable[int]) -> None:
        """Forget who wrote to parameters that are as they were: the same bits were written."""
        for index in indexes:
            self._writers.pop(index, None)

    def keep_only(self, watched: Collection[int]) -> None:
        """Count writes to these parameters only."""
        for mapping in (self._versions, self._writers):
            for index in mapping.keys() - watched:
                del mapping[index]
