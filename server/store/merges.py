"""What is merged in the background: where merges come from, and what one is."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import Connection


class Outdated(Exception):
    """What was to be merged is no longer there as it was read."""


class Merge(Protocol):
    """A change of a run that loses nothing, read and computed already."""

    def apply(self, connection: Connection) -> None:
        """Do it in the caller's transaction; raises `Outdated` when anything else came between."""
        ...


class MergeSource(Protocol):
    """Finds merges of one kind."""

    def next_merge(self, connection: Connection, run: str) -> Merge | None:
        """Read and compute the next merge of a run; None when nothing is to be merged."""
        ...

    def unmerged_runs(self, connection: Connection) -> list[str]:
        """Return the runs of which an earlier server may have left something to merge."""
        ...
