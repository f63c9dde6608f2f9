"""The baseline of a check: findings that are accepted, and fail it no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeAlias

from pydantic import ValidationError

from ...protocol.check import CheckFinding, CheckReport
from ...protocol.models import Request
from .groups import shown

VERSION = 1

Key: TypeAlias = tuple[str | None, str | None, str | None]


class BaselineError(Exception):
    """A file is no baseline; the message says what to do."""


class Accepted(Request):
    """A finding that is accepted: lines move, so that its file alone is kept."""

    cause: str | None
    name: str | None
    file: str | None


class Baseline(Request):
    """All that is accepted."""

    version: int
    accepted: list[Accepted]

    def accept(self, report: CheckReport) -> CheckReport:
        """Return a report in which what is accepted says so."""
        known = {(each.cause, each.name, each.file) for each in self.accepted}
        findings = [
            each.model_copy(update={"accepted": _key(each, report.folder) in known})
            for each in report.findings
        ]
        return report.model_copy(update={"findings": findings})

    @property
    def text(self) -> str:
        """Return what its file holds: one finding a line, for whoever reads what changes."""
        lines = ",\n".join(f"  {json.dumps(each.model_dump())}" for each in self.accepted)
        return f'{{"version": {self.version}, "accepted": [\n{lines}\n]}}\n'


def baseline_of(report: CheckReport) -> Baseline:
    """Accept every error of a report."""
    errors = {_key(each, report.folder) for each in report.findings if each.level == "error"}
    keys = sorted(errors, key=lambda key: [part or "" for part in key])
    accepted = [Accepted(cause=cause, name=name, file=file) for cause, name, file in keys]
    return Baseline(version=VERSION, accepted=accepted)


def read_baseline(file: Path) -> Baseline:
    """Read a baseline; raises :class:`BaselineError`."""
    try:
        found = Baseline.model_validate_json(file.read_bytes())
    except FileNotFoundError as error:
        raise BaselineError(
            f"There is no baseline {str(file)!r}: --write-baseline makes one of what is found now."
        ) from error
    except OSError as error:
        raise BaselineError(f"{str(file)!r} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        raise BaselineError(
            f"{str(file)!r} is no baseline of gradgate check: make it anew with --write-baseline, "
            "or give another file."
        ) from error
    if found.version != VERSION:
        raise BaselineError(
            f"{str(file)!r} is a baseline of version {found.version}, and this Gradgate knows "
            f"version {VERSION}: make it anew with --write-baseline."
        )
    return found


def _key(finding: CheckFinding, folder: str) -> Key:
    file = None if finding.file is None else shown(finding.file, folder)
    return finding.cause, finding.name, file
