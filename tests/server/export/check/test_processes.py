"""The reports of several processes, as one."""

from __future__ import annotations

from gradgate.server.export.check.processes import merged
from gradgate.server.export.check.verdict import CheckExit, exit_of
from gradgate.server.protocol.check import CheckReport
from tests.support.checking import finding, parameter, report

STARTED = [{"name": f"rank {rank}", "checked": True} for rank in range(3)]
LAUNCHER = report(lack="no model", steps=0, parameters=[], models=[], processes=STARTED)


def rank(number: int, *more: str) -> CheckReport:
    """Make the report of a rank, in which more is found than in the others."""
    seen = finding("gain", detail=f"Seen on rank {number} of 2.")
    findings = [seen, *(finding(each) for each in more)]
    return report(*findings, process=f"rank {number}", parameters=[parameter("gain")], loose=number)


def test_what_all_processes_say_is_said_once() -> None:
    """And what only some do, with their names; one that has not reported has no steps."""
    found = merged(LAUNCHER, [rank(0), rank(1, "bias")])
    assert [(each.name, each.processes) for each in found.findings] == [
        ("gain", ()),
        ("bias", ("rank 1",)),
    ]
    assert [each.name for each in found.parameters] == ["gain"]
    assert found.loose == 1
    assert [each.steps for each in found.processes] == [20, 20, None]
    assert (found.lack, found.steps, exit_of(found)) == (None, 20, CheckExit.FOUND)


def test_a_process_that_fails_fails_the_check() -> None:
    """Though the one that started it ends well."""
    failed = rank(1).model_copy(update={"outcome": "raised", "error": "ValueError: no"})
    found = merged(LAUNCHER, [rank(0), failed])
    assert (exit_of(found), found.error) == (CheckExit.FAILED, "ValueError: no")


def test_processes_that_train_nothing_leave_the_report_as_it_is() -> None:
    """As those that prepare data."""
    idle = LAUNCHER.model_copy(update={"process": "rank 0", "processes": []})
    assert merged(LAUNCHER, [idle]).lack == "no model"
    own = report(finding(), processes=STARTED[:1])
    assert merged(own, [idle]).findings == own.findings
