"""What is held against steps: one verdict for each parameter, as far as is known now."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..base.source import Place
from ..diagnosis.case import Finding
from ..diagnosis.update_causes import MovedWithoutGradient
from ..live.alerts import Alert, Level, alert_of
from ..model.table import ParameterTable
from .groups import Groups
from .step_places import StepPlaces
from .streaks import Streaks

PUT_BACK, HELD, MOSTLY_ROUNDED = "put back", "held at a bound", "mostly rounded"
CHECKED = (PUT_BACK, HELD, MOSTLY_ROUNDED)
"""The reasons of verdicts that hold until the next close look, since others do not show them."""
BY_SCRIPT = "script"
"""The reason of a verdict on what the script itself moves, which is mostly meant."""


@dataclass(frozen=True)
class Verdict:
    """What steps do to one parameter, and ought not to."""

    finding: Finding
    since_step: int
    level: Level | None
    """None: it is said only when asked."""
    reason: str
    """A word for it: of notes with the same, one is told for each group of parameters."""


class Verdicts:
    """Keeps the verdict on each parameter, and tells of them."""

    def __init__(
        self, table: ParameterTable, groups: Groups, streaks: Streaks, places: StepPlaces
    ) -> None:
        self._table = table
        self._groups = groups
        self._streaks = streaks
        self._places = places
        self.current: dict[int, Verdict] = {}
        """By parameter."""

    def reason(self, index: int) -> str | None:
        """Return why there is a verdict on a parameter; None without one."""
        verdict = self.current.get(index)
        return None if verdict is None else verdict.reason

    def place(self, index: int) -> Place | None:
        """Return where the script makes the steps of a parameter."""
        group = self._groups.of(index)
        return None if group is None else self._places.of(group.key[0])

    def take(self, index: int, finding: Finding, level: Level | None, reason: str) -> None:
        """Take a finding for true since the step from which on its looks in a row count."""
        since = int(self._streaks.since[index])
        self.current[index] = Verdict(finding, since, level, reason)

    def take_mover(self, index: int) -> None:
        """Say that the script itself moves a weight."""
        finding = MovedWithoutGradient.by_script(self._table.name(index))
        self.take(index, finding, "note", BY_SCRIPT)

    def drop(self, gone: Collection[int]) -> None:
        """Drop the verdicts that hold no longer, and those on what is ``gone``."""
        for index, verdict in list(self.current.items()):
            if verdict.reason in CHECKED and index not in gone:
                continue
            moves = verdict.finding.cause == MovedWithoutGradient.word
            streak = self._streaks.roaming if moves else self._streaks.still
            if streak[index] == 0 or index in gone:
                del self.current[index]

    def tell(self, more: Mapping[int, Verdict]) -> Iterator[Alert]:
        """Tell of each parameter; of notes with one reason once for each group.

        ``more``: verdicts that are given only now, where there is no other.
        """
        verdicts = {**more, **self.current}
        notes: dict[tuple[str, object], list[int]] = {}
        for index, each in sorted(verdicts.items()):
            if each.level == "alert":
                yield self._alert(index, each, each.level)
            elif each.level == "note":
                group = self._groups.of(index)
                key = each.reason, None if group is None else group.key
                notes.setdefault(key, []).append(index)
        for indexes in notes.values():
            first, *others = indexes
            yield self._alert(first, verdicts[first], "note", others)

    def _alert(
        self, index: int, verdict: Verdict, level: Level, others: Sequence[int] = ()
    ) -> Alert:
        name = self._table.name(index)
        alert = alert_of(verdict.finding, index, name, verdict.since_step, level)
        more = f" The same holds for {len(others)} more." if others else ""
        return replace(alert, detail=f"{alert.detail}{more}", others=tuple(others))
