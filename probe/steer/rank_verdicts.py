"""What all ranks say of a command: verified only when every one of them has verified it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import replace

from ..base.guard import Guard
from ..distributed.ranks import Ranks
from ..measure.checksums import checksums
from ..measure.local_part import Sharded
from ..model.commands import Command, CommandState, ParameterCommand, Report
from ..model.table import ParameterTable
from .reports import fault_sentence

logger = logging.getLogger("gradgate")

_FINAL = (CommandState.VERIFIED, CommandState.DRIFTED)


class RankVerdicts:
    """Holds the leader's report of a command back until the other ranks have spoken.

    Each rank posts its own verdict with a digest of the frozen parameters' bits, so that
    ranks whose weights differ are found out. A rank that drifts later says so in its log.
    """

    def __init__(self, ranks: Ranks, table: ParameterTable, guard: Guard) -> None:
        self._ranks = ranks
        self._table = table
        self._guard = guard
        self._waiting: dict[str, Report] = {}
        self._spoken: set[str] = set()

    def merge(self, reports: Iterable[Report]) -> list[Report]:
        """Pass reports on; those that need the others' word come when it is there."""
        passed = []
        for report in reports:
            if report.state in _FINAL and _topic(report.command) not in self._spoken:
                self._post(report)
                continue
            passed.append(report)
            if not self._ranks.leader and report.state is CommandState.DRIFTED:
                logger.warning("gradgate: rank %d: %s", self._ranks.rank, report.reason)
        for topic, report in list(self._waiting.items()):
            passed += self._collect(topic, report)
        return passed

    def _post(self, report: Report) -> None:
        """Tell the others what this rank found; a fault of the probe's own is no proof."""
        topic = _topic(report.command)
        self._spoken.add(topic)
        reason, digest = report.reason, ""
        with self._guard.attempt() as attempt:
            digest = self._digest(report)
        if attempt.error is not None:
            reason = fault_sentence(attempt)
        self._ranks.post(topic, [reason, digest])
        if self._ranks.leader:
            self._waiting[topic] = report

    def _collect(self, topic: str, report: Report) -> list[Report]:
        """Return the report of all ranks once they have spoken."""
        merged: list[Report] = []
        with self._guard.attempt() as attempt:
            said = self._ranks.collect(topic)
            if said is None:
                return []
            merged = [_merged(report, said)]
        del self._waiting[topic]
        if attempt.error is None:
            return merged
        reason = f"what the ranks found could not be compared: {fault_sentence(attempt)}"
        return [replace(report, state=CommandState.DRIFTED, reason=reason, detail=None)]

    def _digest(self, report: Report) -> str:
        """Return a digest of the bits of frozen parameters, or nothing for what is trained."""
        if not isinstance(report.command, ParameterCommand) or report.command.trains:
            return ""
        parameters = [self._table.parameters[index] for index in report.parameters]
        # Of a sharded one each rank has a part of its own.
        sums = checksums([each for each in parameters if not isinstance(each, Sharded)])
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
