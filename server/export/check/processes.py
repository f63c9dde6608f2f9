"""The reports of a script's processes, as one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

from ...protocol.check import CheckedParameter, CheckedProcess, CheckFinding, CheckReport

Item = TypeVar("Item")
Told = TypeVar("Told", CheckedParameter, CheckFinding)

_RANK = re.compile(r"\brank \d+")
"""What explanations of ranks differ in that say the same."""


def merged(own: CheckReport, others: Sequence[CheckReport]) -> CheckReport:
    """Put the reports of processes that the script started beside its own.

    What every process says that trains is said once; what others do not say names its processes.
    """
    reports = [own, *others]
    training = [each for each in reports if each.parameters]
    steps = {each.process: each.steps for each in reports}
    processes = [
        each.model_copy(update={"steps": steps.get(each.name)})
        for each in _with_full_names(reports)
    ]
    if not training:
        return own.model_copy(update={"processes": processes})
    failed = next((each for each in reports if each.outcome in ("raised", "exited")), own)
    refused = next((each for each in reports if each.problem is not None), own)
    return own.model_copy(
        update={
            "outcome": failed.outcome,
            "script_exit_code": failed.script_exit_code,
            "error": failed.error,
            "problem": refused.problem,
            "misused": refused.misused,
            "lack": None,
            "steps": max(each.steps for each in reports),
            "never_steps": any(each.never_steps for each in training),
            "timed_out": any(each.timed_out for each in reports),
            "models": _union(each.models for each in training),
            "optimizers": _union(each.optimizers for each in training),
            "processes": processes,
            "loose": max(each.loose for each in training),
            "parameters": _told((each.process, each.parameters) for each in training),
            "findings": _told((each.process, each.findings) for each in training),
        }
    )


def _with_full_names(reports: Iterable[CheckReport]) -> list[CheckedProcess]:
    """Return all processes, with the names of those that started them before their own."""
    return [
        each.model_copy(update={"name": f"{report.process} / {each.name}"})
        if report.process
        else each
        for report in reports
        for each in report.processes
    ]


def _union(parts: Iterable[list[Item]]) -> list[Item]:
    found: list[Item] = []
    for part in parts:
        found += [each for each in part if each not in found]
    return found


def _told(parts: Iterable[tuple[str, list[Told]]]) -> list[Told]:
    """Return what is told, once each, with the processes that tell it where others do not."""
    tellers: dict[str, tuple[Told, list[str]]] = {}
    every = 0
    for process, told in parts:
        every += 1
        for each in told:
            alike = _RANK.sub("rank", each.model_dump_json())
            known = tellers.setdefault(alike, (each, []))[1]
            if process not in known:
                known.append(process)
    return [
        each if len(known) == every else each.model_copy(update={"processes": tuple(known)})
        for each, known in tellers.values()
    ]
