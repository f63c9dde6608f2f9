"""What a run tells of its steps: each broken loop its cause and line, no healthy one an alert."""

from __future__ import annotations

import pytest

from gradgate import probe
from gradgate.probe import Alert

from .updates import BROKEN, HEALTHY, UpdateCase


def told(case: UpdateCase) -> tuple[list[Alert], list[Alert]]:
    """The alerts and the notes of a run of a case."""
    loop = case.loop()
    with probe.attach(loop.model, loop.optimizer, server=False, every=1) as run:
        for _ in range(case.iterations):
            loop.iterate()
        return run.alerts(), run.notes()


@pytest.mark.parametrize("case", BROKEN, ids=str)
def test_a_broken_loop_gets_its_cause(case: UpdateCase) -> None:
    """It is told of the parameters that have it, or of the run, with the line of the step."""
    alerts, notes = told(case)
    assert {alert.name: alert.cause for alert in alerts} == case.alerts
    assert {note.cause for note in notes} == case.notes
    for each in (*alerts, *notes):
        assert case.says in str(each.detail)
        assert each.where == case.place


@pytest.mark.parametrize("case", HEALTHY, ids=str)
def test_a_healthy_loop_gets_no_alert(case: UpdateCase) -> None:
    """What is told of it is a note, and only of what might not be meant."""
    alerts, notes = told(case)
    assert alerts == []
    assert {note.cause for note in notes} <= case.notes
