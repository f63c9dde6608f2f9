"""What pages that stand alone have in common: their head, and the figures on top."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure of what is reported, and what it is of."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Look:
    """The style of a report, and the script that chooses its theme, with the hash of that."""

    style: str
    script: str
    script_hash: str


@dataclass(frozen=True)
class ReportBase:
    """What report_base.html shows of every report."""

    version: str
    made: str
    look: Look
    facts: list[Fact]
