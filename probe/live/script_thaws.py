"""Notes of what the script asks to train, though a command keeps it frozen."""

from __future__ import annotations

from collections.abc import Iterator

from ..freeze.freezer import Freezer
from ..model.table import ParameterTable
from .alerts import Alert


class ScriptThaws:
    """Tells of each line of the script that sets ``requires_grad`` of what is frozen by command."""

    def __init__(self, freezer: Freezer, table: ParameterTable) -> None:
        self._freezer = freezer
        self._table = table

    def find(self, *, last: bool) -> Iterator[Alert]:
        """Tell of one parameter a line, the first in the model's order."""
        asked, freezes = self._freezer.script_flags.asked, self._freezer.records.freezes
        by_place: dict[str | None, list[int]] = {}
        for index in sorted(asked.keys() & freezes.keys()):
            by_place.setdefault(asked[index], []).append(index)
        for place, indexes in by_place.items():
            more = f" and {len(indexes) - 1} more" if len(indexes) > 1 else ""
            name, since = self._table.name(indexes[0]), freezes[indexes[0]].since_step
            yield Alert(
                indexes[0],
                name,
                since,
                cause="frozen_by_command",
                detail=f"The script asks to train `{name}`{more}, and a command keeps it frozen "
                f"since step {since}: thaw it, or attach with script_wins=True, with which the "
                "script's own word would stand.",
                where=place,
                level="note",
            )
