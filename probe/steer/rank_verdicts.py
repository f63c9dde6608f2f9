"""What all ranks say of a command: verified only when every one of them has verified it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import replace

from ..distributed.ranks import Ranks
from ..freeze.checksums import checksums
from ..model.commands import Command, CommandState, FreezeCommand, Report
from ..model.table import ParameterTable

logger = logging.getLogger("gradgate")

_FINAL = (CommandState.VERIFIED, CommandState.DRIFTED)


class Verdicts:
    """Holds the leader's report of a command back until the other ranks have spoken.

    Each rank posts its own verdict with a digest of the frozen parameters' bits, so that
    ranks whose weights differ are found out. A rank that drifts later says so in its log.
    """

    def __init__(self, ranks: Ranks, table: ParameterTable) -> None:
        self._ranks = ranks
        self._table = table
        self._waiting: dict[str, Report] = {}
        self._spoken: set[str] = set()

    def settle(self, reports: Iterable[Report]) -> list[Report]:
        """Pass reports on; those that need the others' word come when it is there."""
        passed = []
        for report in reports:
            topic = _topic(report.command)
            if report.state not in _FINAL or topic in self._spoken:
                passed.append(report)
                if not self._ranks.leader and report.state is CommandState.DRIFTED:
                    logger.warning("gradgate: rank %d: %s", self._ranks.rank, report.reason)
                continue
            self._spoken.add(topic)
            self._ranks.post(topic, [report.reason, self._digest(report)])
            if self._ranks.leader:
                self._waiting[topic] = report
        for topic, report in list(self._waiting.items()):
            said = self._ranks.collect(topic)
            if said is not None:
                del self._waiting[topic]
                passed.append(_merged(report, said))
        return passed

    def _digest(self, report: Report) -> str:
        """What the bits of a frozen command's parameters are, or nothing for a thaw."""
        if not isinstance(report.command, FreezeCommand):
            return ""
        sums = checksums([self._table.parameters[index] for index in report.parameters])
        return hashlib.sha256(repr(sums).encode()).hexdigest()


def _topic(command: Command) -> str:
    return f"local {command.local}" if command.id is None else f"command {command.id}"


def _merged(report: Report, said: dict[int, list[str | None]]) -> Report:
    for rank, (reason, digest) in sorted(said.items()):
        if reason is not None:
            why = f"on rank {rank}: {reason}"
        elif digest != said[0][1]:
            why = f"what is frozen differs between rank 0 and rank {rank}"
        else:
            continue
        return replace(report, state=CommandState.DRIFTED, reason=why, detail=None)
    together = f"on all {len(said)} ranks"
    detail = f"{report.detail}, {together}" if report.detail else together
    return replace(report, detail=detail)
