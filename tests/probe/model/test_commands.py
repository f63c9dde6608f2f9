"""Commands: read from a message, told to other ranks and in reports, and checked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gradgate.probe.base.errors import CommandError
from gradgate.probe.model.commands import (
    KINDS,
    Command,
    CommandState,
    ExplainCommand,
    FreezeCommand,
    GateCommand,
    Report,
    ThawCommand,
    UngateCommand,
    read_command,
)

PARAMETERS = {"mode": "grad", "hold_stats": False, "reset_state": False}
GATE = {
    "when": "True",
    "action": "block",
    "factor": None,
    "max_norm": None,
    "hold": 0,
    "paused": False,
}


def message(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "command", "id": 7, "kind": kind, "by": "rest", **fields}


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (
            message("freeze", target="a", mode="no_grad", hold_stats=True),
            FreezeCommand("a", "no_grad", True, by="rest", id=7),
        ),
        (message("freeze", target="a"), FreezeCommand("a", by="rest", id=7)),
        (
            message("thaw", target="a", mode="grad", reset_state=True),
            ThawCommand("a", True, by="rest", id=7),
        ),
        (
            message(
                "gate", site="input:a", when="step > 3", action="scale", factor=1, hold=2, gate=5
            ),
            GateCommand(
                "input:a", "input:a", "step > 3", "scale", 1.0, hold=2, gate=5, by="rest", id=7
            ),
        ),
        (
            message("gate", site="param:a", action="clip", max_norm="2.5", paused=True),
            GateCommand(
                "param:a", "param:a", action="clip", max_norm=2.5, paused=True, by="rest", id=7
            ),
        ),
        (message("ungate", gate=3), UngateCommand("gate 3", 3, by="rest", id=7)),
        (message("explain", target="*"), ExplainCommand("*", by="rest", id=7)),
        (
            {"type": "trial", "request": 1, "site": "param:a", "when": None},
            GateCommand("param:a", "param:a", by="server"),
        ),
    ],
)
def test_a_message_is_read_into_the_class_of_its_kind(sent: dict[str, Any], read: Command) -> None:
    """Each kind has its own fields, and who asked."""
    assert read_command(sent) == read
    read.check()


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        (
            FreezeCommand("a", "no_grad", True, by="python"),
            {"kind": "freeze", "target": "a", "mode": "no_grad", "hold_stats": True}
            | {"reset_state": False, "limit": None},
        ),
        (
            ThawCommand("a", True, by="python"),
            {"kind": "thaw", "target": "a", **PARAMETERS, "reset_state": True},
        ),
        (ExplainCommand("*", by="python"), {"kind": "explain", "target": "*", **PARAMETERS}),
        (
            GateCommand("param:a", "param:a", "norm > 1", "clip", None, 2.0, 3, True, 4, by="x"),
            {"kind": "gate", "target": "param:a", "site": "param:a", "when": "norm > 1"}
            | {"action": "clip", "factor": None, "max_norm": 2.0, "hold": 3, "paused": True}
            | {"gate": 4, "limit": None},
        ),
        (
            UngateCommand("gate 4", 4, by="x"),
            {"kind": "ungate", "target": "gate 4", "site": None, **GATE, "gate": 4},
        ),
    ],
)
def test_what_was_asked_has_the_fields_of_the_protocol_in_their_order(
    command: Command, asked: dict[str, Any]
) -> None:
    """What travels to ranks and in reports: the sentence of a disagreement prints it as it is."""
    assert list(command.asked().items()) == list(asked.items())


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_back_from_what_ranks_exchange(kind: str) -> None:
    """A command that the leader publishes is the same command on every rank."""
    sent = message(kind, target="a", site="param:a" if kind == "gate" else None, gate=2)
    command = replace(read_command(sent), local=3)
    assert type(command) is KINDS[kind]
    assert read_command(command.as_message()) == command


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (
            message("melt", target="a"),
            "this probe does not know commands of kind 'melt', only freeze, thaw, gate, ungate, "
            "explain; upgrade gradgate in the training job.",
        ),
        (message("melt"), "this probe does not know commands of kind 'melt'"),
        (
            message("freeze", target="a", mode="half"),
            "mode 'half' is not available in this version of the probe; use 'grad' or 'no_grad'.",
        ),
        (
            message("freeze", target="a", reset_state=True),
            "reset_state belongs to a thaw: a freeze keeps the optimizer's state as it is.",
        ),
        (
            message("thaw", target="a", hold_stats=True),
            "hold_stats belongs to a freeze; a thaw lets statistics run again.",
        ),
        (
            message("thaw", target="a", mode="no_grad"),
            "mode belongs to a freeze; a thaw undoes every mode.",
        ),
        (
            message("gate", site="param:a", hold="long"),
            "this probe cannot read the fields of this gate (ValueError: invalid literal",
        ),
        (message("ungate"), "this probe cannot read the fields of this ungate (KeyError: 'gate')."),
        (
            message("freeze", target="a", age=10_800.5, expires=600.0),
            "it was asked for 3 hours before this job heard of it, and holds for 10 minutes: "
            "nothing was done, so ask again if it is still wanted.",
        ),
        (message("gate", site="param:a", age=45.0, expires=44), "it was asked for 45 seconds"),
    ],
)
def test_what_nobody_can_do_is_refused_with_a_sentence(sent: dict[str, Any], reason: str) -> None:
    """Read it is in any case, with its number, so that its turn comes and it is rejected."""
    command = read_command(sent)
    assert (command.id, command.by) == (7, "rest")
    with pytest.raises(CommandError) as refusal:
        command.check()
    assert str(refusal.value).startswith(reason)


@pytest.mark.parametrize(
    "fields", [{"age": 600.0, "expires": 600.0}, {"age": 1e6, "expires": None}, {"age": 1e6}, {}]
)
def test_a_command_that_holds_is_read(fields: dict[str, Any]) -> None:
    """One in time, and those of a server that lets none expire, or knows nothing of that."""
    command = read_command(message("freeze", target="a", **fields))
    assert command == FreezeCommand("a", by="rest", id=7)


def test_a_report_of_a_command_of_the_server_does_not_repeat_it() -> None:
    """The server knows what it asked for; of a command made in Python it is told."""
    theirs = Report(FreezeCommand("a", by="rest", id=7), CommandState.APPLIED, 3, [1], time=5.0)
    told = {
        "type": "report",
        "seq": 9,
        "id": 7,
        "local": None,
        "state": "applied",
        "time": 5.0,
        "step": 3,
        "parameters": [1],
        "reason": None,
        "detail": None,
        "saved": None,
        "gate": None,
    }
    assert theirs.as_message(9) == told
    ours = replace(theirs, command=FreezeCommand("a", by="python", local=2))
    asked = {"kind": "freeze", "target": "a", **PARAMETERS, "limit": None, "by": "python"}
    assert ours.as_message(9) == told | {"id": None, "local": 2} | asked


def test_a_report_of_a_gate_names_the_gate_that_was_made() -> None:
    """Before that, the gate that is to be changed."""
    change = GateCommand("param:a", "param:a", gate=4, by="python", local=1)
    assert Report(change, CommandState.DELIVERED).as_message(1)["gate"] == 4
    assert Report(change, CommandState.APPLIED, gate=6).as_message(1)["gate"] == 6
    made = replace(change, gate=None)
    assert Report(made, CommandState.DELIVERED).as_message(1)["gate"] is None
