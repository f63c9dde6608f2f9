"""Every kind of command: how it is stored, how it goes to the job, and how a person reads it."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from gradgate.server.protocol.commands.kind import CommandFields
from gradgate.server.protocol.commands.registry import KINDS, AnyCommand, AnyRequest
from gradgate.server.protocol.commands.row import CommandRow
from gradgate.server.protocol.commands.state import CommandState
from gradgate.server.protocol.fields import ChangeName, KindName

COLUMNS: dict[str, Any] = {
    "id": 3,
    "target": "a",
    "mode": "grad",
    "hold_stats": False,
    "reset_state": False,
    "by": "b",
    "state": "requested",
    "parameters": [],
    "site": None,
    "when": None,
    "action": None,
    "factor": None,
    "max_norm": None,
    "hold": None,
    "paused": None,
    "gate": None,
    "limit": None,
}
GATE = {
    "site": "output:a",
    "when": "norm > 1",
    "action": "scale",
    "factor": 0.5,
    "hold": 2,
    "paused": True,
}


def row(**changes: Any) -> CommandRow:
    """An entry of the log."""
    nothing = {"step": None, "reason": None, "detail": None, "saved": None}
    state = {"state": CommandState.APPLIED, "count": 0, "requested": 1.0, "times": {}}
    return CommandRow.model_validate({**COLUMNS, **nothing, **state, **changes})


def test_the_registry_has_every_kind() -> None:
    """Those of the protocol, those that may be asked for, and those that the job is sent."""
    assert tuple(KINDS) == get_args(KindName)
    assert set(get_args(ChangeName)) < set(KINDS)
    union = TypeAdapter(AnyRequest).json_schema()["discriminator"]["mapping"]
    assert set(union) == set(KINDS)
    sent = {kind.message for kind in KINDS.values()}
    assert sent == set(get_args(get_args(AnyCommand)[0]))


@pytest.mark.parametrize(
    ("kind", "changes", "sent"),
    [
        (
            "freeze",
            {"mode": "no_grad", "hold_stats": True},
            {"target": "a", "mode": "no_grad", "hold_stats": True, "reset_state": False}
            | {"limit": None},
        ),
        (
            "thaw",
            {"reset_state": True},
            {"target": "a", "mode": "grad", "hold_stats": False, "reset_state": True}
            | {"limit": None},
        ),
        (
            "gate",
            {"target": "output:a", **GATE},
            {"target": None, "max_norm": None, "gate": None, "limit": None, **GATE},
        ),
        ("ungate", {"target": "gate 4", "gate": 4}, {"target": None, "gate": 4}),
        ("explain", {"target": "*"}, {"target": "*"}),
    ],
)
def test_the_job_is_sent_what_is_its_own(
    kind: str, changes: dict[str, Any], sent: dict[str, Any]
) -> None:
    """Out of the columns of the ledger; the words of the log stay here."""
    message = KINDS[kind].sent({**COLUMNS, "kind": kind, **changes})
    told = {"type": "command", "id": 3, "kind": kind, "by": "b", "age": 0.0, "expires": None}
    assert message.model_dump() == {**told, **sent}


def test_what_is_stored_wrong_is_not_sent() -> None:
    """A row of another version, say."""
    with pytest.raises(ValidationError, match="mode"):
        KINDS["freeze"].sent({**COLUMNS, "kind": "freeze", "mode": "sideways"})


@pytest.mark.parametrize(
    ("fields", "place", "columns"),
    [
        (
            {"kind": "freeze", "target": "a", "mode": "no_grad"},
            "a",
            {"mode": "no_grad", "gate": None},
        ),
        (
            {"kind": "thaw", "target": "a", "reset_state": True},
            "a",
            {"mode": "grad", "reset_state": True, "hold_stats": False},
        ),
        ({"kind": "gate", **GATE, "gate": 2}, "output:a", {**GATE, "gate": 2, "mode": "grad"}),
        ({"kind": "gate", "target": "there"}, "there", {"gate": None}),
        ({"kind": "ungate", "gate": 0}, "gate 0", {"gate": 0}),
        ({"kind": "explain", "target": "*"}, "*", {"gate": None}),
        ({"kind": "freeze"}, None, {}),
    ],
)
def test_a_command_made_in_python_has_its_place_and_columns(
    fields: dict[str, Any], place: str | None, columns: dict[str, Any]
) -> None:
    """As if a browser had asked for it."""
    told = CommandFields.model_validate(fields)
    kind = KINDS[fields["kind"]]
    assert kind.place(told) == place
    assert columns.items() <= kind.columns(told).items()
    assert ("site" in kind.columns(told)) == (fields["kind"] == "gate")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "freeze"}, "freeze a"),
        (
            {"kind": "freeze", "mode": "no_grad", "hold_stats": True},
            "freeze a (mode no_grad, statistics held)",
        ),
        ({"kind": "thaw", "reset_state": True}, "thaw a (optimizer state reset)"),
        ({"kind": "gate", **GATE}, "gate a (scale by 0.5 when norm > 1, held for 2 steps, paused)"),
        ({"kind": "ungate", "target": "gate 4"}, "ungate gate 4"),
        ({"kind": "explain", "target": "*"}, "explain *"),
    ],
)
def test_a_command_in_words(changes: dict[str, Any], words: str) -> None:
    """With the options that are not those that everybody has."""
    assert KINDS[changes["kind"]].describe(row(**changes)) == words


def test_a_question_is_done_when_it_is_answered() -> None:
    """What changes something is done when the job has verified it."""
    done = {name: kind.done.value for name, kind in KINDS.items()}
    assert done.pop("explain") == "applied"
    assert set(done.values()) == {"verified"}
