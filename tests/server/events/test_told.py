"""What the job and the server tell: commands, gates, alerts, and the run itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gradgate.server.events.finding import NAMES
from gradgate.server.events.records import AlertsRecord, CommandRecord, GatesRecord, RunRecord
from gradgate.server.events.watch import Watch
from gradgate.server.protocol.alerts import Alert
from gradgate.server.protocol.commands.row import CommandRow
from gradgate.server.protocol.commands.state import CommandState
from gradgate.server.protocol.gates import Gate
from gradgate.server.protocol.runs import RunStatus
from tests.support.probing import alert, gate


def command(state: CommandState, **changes: Any) -> CommandRow:
    """A freeze in a state."""
    row = {
        "id": 12,
        "kind": "freeze",
        "target": "a.*",
        "mode": "grad",
        "hold_stats": False,
        "reset_state": False,
        "by": "browser",
        "state": state,
        "step": 5,
        "parameters": [],
        "count": 2,
        "reason": None,
        "detail": None,
        "saved": None,
        "requested": 1.0,
        "times": {},
        **changes,
    }
    return CommandRow.model_validate(row)


@pytest.mark.parametrize(
    ("state", "kind", "level", "told"),
    [
        (CommandState.REQUESTED, "command", "note", "was requested by browser at step 5."),
        (CommandState.APPLIED, "command", "note", "was applied at step 5."),
        (CommandState.VERIFIED, "command", "note", "was verified at step 5."),
        (CommandState.REJECTED, "command", "note", "was rejected at step 5."),
        (CommandState.SUPERSEDED, "command", "note", "was superseded at step 5."),
        (CommandState.DRIFTED, "drift", "alert", "no longer holds at step 5."),
    ],
)
def test_each_state_of_a_command_is_an_event(
    watch: Watch, state: CommandState, kind: str, level: str, told: str
) -> None:
    """With its parameters; that it was delivered tells nobody anything."""
    (found,) = watch.see(CommandRecord(command(state), [0, 3], 2.0, 5))
    assert (found.kind, found.level, found.time) == (kind, level, 2.0)
    assert found.sentence == f"Command 12, freeze a.*, {told} It is of {NAMES}."
    assert found.figures["state"] == state.value
    assert found.parameters.tolist() == [0, 3]
    assert not watch.see(CommandRecord(command(CommandState.DELIVERED), [], 2.0, 5))


def test_the_reason_is_told(watch: Watch) -> None:
    """As the job gave it, in one sentence."""
    row = command(CommandState.DRIFTED, reason="a.bias was moved by SGD.")
    (found,) = watch.see(CommandRecord(row, [], 2.0, 5))
    assert found.sentence.endswith("no longer holds at step 5: a.bias was moved by SGD.")


def gates(watch: Watch, before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[str]:
    """Tell of gates, and return what is said of them."""
    both = [[Gate.model_validate(each) for each in some] for some in (before, now)]
    return [each.sentence for each in watch.see(GatesRecord(both[0], both[1], 1.0, 7))]


def test_a_gate_that_closes_or_opens_is_an_event(watch: Watch) -> None:
    """Also when it did both between two reports, and when it is removed."""
    shut, wide = gate(), gate(closed=False, parameters=[])
    what = "Gate 1 (block at output:a when norm > 10)"
    of = f"; it keeps the gradient of {NAMES} away"
    assert gates(watch, [], [shut]) == [f"{what} closed, told at step 7{of}."]
    assert gates(watch, [shut], [wide]) == [f"{what} opened, told at step 7."]
    assert gates(watch, [wide], [{**wide, "closed_steps": 10}]) == [
        f"{what} closed for 2 steps, and opened again, told at step 7."
    ]
    assert gates(watch, [shut], []) == [f"{what} was removed, and so opened, told at step 7."]
    assert gates(watch, [wide], []) == []
    assert gates(watch, [shut], [{**shut, "closed_steps": 10}]) == []


def alerts(
    watch: Watch, before: list[dict[str, Any]], now: list[dict[str, Any]]
) -> list[tuple[str, str, list[int]]]:
    """Tell of alerts, and return what is found."""
    both = [
        [Alert.model_validate_json(json.dumps(each)) for each in some] for some in (before, now)
    ]
    found = watch.see(AlertsRecord(both[0], both[1], 1.0, 40))
    return [(each.level, each.sentence, each.parameters.tolist()) for each in found]


def test_alerts_begin_and_end(watch: Watch) -> None:
    """Those of one cause and step together; that one ends is no alert."""
    two = [alert(), alert(1, "a.bias")]
    assert alerts(watch, [], two) == [
        ("alert", f"Alert of {NAMES}: detached, since step 12.", [0, 1])
    ]
    (ended,) = alerts(watch, two, [alert(1, "a.bias")])
    assert ended == ("note", f"Alert of {NAMES} ended at step 40: detached, from step 12.", [0])


def test_what_is_told_of_further_parameters_is_of_them_too(watch: Watch) -> None:
    """With those that come to it later, and those of which it is told no longer."""
    one = alert(level="note", detail="`a.weight` stays.")
    both = {**one, "others": [1]}
    head = f"Note of {NAMES}"
    assert alerts(watch, [], [both]) == [
        ("note", f"{head}: detached, since step 12. `a.weight` stays.", [0, 1])
    ]
    assert alerts(watch, [one], [both]) == [
        ("note", f"{head}: detached, since step 12. `a.weight` stays.", [1])
    ]
    assert alerts(watch, [both], [one]) == [
        ("note", f"{head} ended at step 40: detached, from step 12.", [1])
    ]


def test_a_cause_that_is_told_later_is_no_new_alert(watch: Watch) -> None:
    """Of a parameter; several of the whole run differ by their cause alone."""
    assert alerts(watch, [alert(cause=None)], [alert()]) == []
    whole = alert(None, None, cause="no_step", detail="No step is seen.", level="note")
    (found,) = alerts(watch, [alert(None, None, cause="share", level="note")], [whole])[:1]
    assert found == ("note", "Note: no step, since step 12. No step is seen.", [])


@pytest.mark.parametrize(
    ("before", "now", "level"),
    [
        (None, RunStatus.LIVE, "note"),
        (RunStatus.LIVE, RunStatus.LOST, "alert"),
        (RunStatus.LOST, RunStatus.LIVE, "note"),
        (RunStatus.LIVE, RunStatus.FINISHED, "note"),
        (RunStatus.LIVE, RunStatus.FAILED, "alert"),
    ],
)
def test_a_run_that_begins_ends_or_is_lost_is_an_event(
    watch: Watch, before: RunStatus | None, now: RunStatus, level: str
) -> None:
    """And one that is heard of again."""
    (found,) = watch.see(RunRecord(before, now, 1.0, 7))
    assert (found.kind, found.level, found.figures["status"]) == ("run", level, now.value)
    assert not watch.see(RunRecord(now, now, 1.0, 7))
