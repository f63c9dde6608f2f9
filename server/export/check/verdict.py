"""What came of a check: one sentence, and an exit code."""

from __future__ import annotations

from enum import IntEnum

from ...protocol.check import CheckReport
from ..report.words import count
from .groups import grouped

_ENOUGH = 3
"""Steps that a verdict takes."""


class CheckExit(IntEnum):
    """How `gradgate check` ends; what comes first in `exit_of` counts."""

    WELL = 0
    FOUND = 1
    MISUSED = 2
    FAILED = 3
    NO_STEP = 4
    NO_MODEL = 5
    TIMED_OUT = 6


def exit_of(report: CheckReport) -> CheckExit:
    """Return how a check with this report ends."""
    if report.misused:
        return CheckExit.MISUSED
    if report.outcome in ("raised", "exited"):
        return CheckExit.FAILED
    if report.timed_out:
        return CheckExit.TIMED_OUT
    if report.problem is not None or report.lack is not None:
        return CheckExit.NO_MODEL
    if report.steps == 0:
        return CheckExit.NO_STEP
    return CheckExit.FOUND if report.errors else CheckExit.WELL


def verdict(report: CheckReport) -> str:
    """Say what came of a check, in one or two sentences."""
    if report.outcome == "raised":
        return f"The script raised after {count(report.steps, 'step')}: {report.error}"
    if report.outcome == "exited":
        code = f"exit code {report.script_exit_code}"
        said = f": {report.error}" if report.error is not None else "."
        return f"The script ended itself after {count(report.steps, 'step')} with {code}{said}"
    if report.timed_out:
        lack = "" if report.lack is None else f" Nothing was found to check: {report.lack}."
        return (
            f"It was stopped after {count(report.steps, 'step')}, since it made no further step of "
            f"an optimizer for {report.limit:,g} seconds: give a higher `--limit` where it only "
            f"takes longer.{lack}"
        )
    if report.problem is not None:
        return f"Nothing could be checked: {report.problem}"
    if report.lack is not None:
        return f"Nothing was found to check: {report.lack}."
    if report.steps == 0:
        if report.never_steps:
            return (
                "It was stopped after many forwards without a step of an optimizer: call "
                "`optimizer.step()` after the backward, or give more `--steps`, ten forwards for "
                "each, where a step gathers so many."
            )
        return (
            "The script ended without a step of an optimizer: call `optimizer.step()` after the "
            "backward."
        )
    accepted = sum(each.accepted for each in report.findings)
    known = f" The baseline accepts {count(accepted, 'finding')} more." if accepted else ""
    found = len(grouped(report.errors))
    if found:
        return f"{count(found, 'finding')}; `gradgate cause ID` says more of each cause.{known}"
    if report.steps < _ENOUGH:
        return f"Nothing wrong found, in {count(report.steps, 'step')}: too few to tell.{known}"
    return f"Nothing wrong found.{known}"
