"""Findings that say the same of several parameters, as one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...protocol.check import CheckFinding


@dataclass(frozen=True, slots=True)
class Group:
    """Findings of one cause at one place, which differ in the parameter alone."""

    findings: list[CheckFinding]

    @property
    def first(self) -> CheckFinding:
        """Return the first of them, whose words stand for all."""
        return self.findings[0]

    @property
    def names(self) -> list[str]:
        """Return the parameters; none where it is of the whole run."""
        return [each.name for each in self.findings if each.name is not None]

    @property
    def inside(self) -> str:
        """Return ` in SpawnProcess-2`, where not all processes that train have it."""
        named = [each or "the script's own process" for each in self.first.processes]
        return f" in {', '.join(named)}" if named else ""

    @property
    def accepted(self) -> bool:
        """Return whether every one of them is in the baseline."""
        return all(each.accepted for each in self.findings)

    def where(self, folder: str) -> str | None:
        """Return `train.py:41`, relative to a folder that the file is below."""
        if self.first.file is None:
            return None
        return f"{shown(self.first.file, folder)}:{self.first.line}"


def grouped(findings: Iterable[CheckFinding]) -> list[Group]:
    """Put findings together that differ in the name alone, in the order of the first of each."""
    groups: dict[tuple[object, ...], list[CheckFinding]] = {}
    for each in findings:
        detail = each.detail.replace(f"`{each.name}`", "\0")
        key = (each.level, each.accepted, each.cause, each.file, each.line, detail, *each.processes)
        groups.setdefault(key, []).append(each)
    return [Group(group) for group in groups.values()]


def shown(file: str, folder: str) -> str:
    """Return a path as people write it: relative to a folder that it is below, with slashes."""
    path, base = Path(file), Path(folder)
    return (path.relative_to(base) if path.is_relative_to(base) else path).as_posix()
