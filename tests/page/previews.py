"""A probe's side of the question before a command."""

from __future__ import annotations

from typing import Any

from tests.support.probing import FakeProbe

ASKED = ("kind", "target", "mode", "hold_stats", "reset_state")


def until_asked(probe: FakeProbe) -> dict[str, Any]:
    """Wait until the probe is asked what a command would touch."""
    while (frame := probe.receive())["type"] != "preview":
        pass
    return frame


def answer(probe: FakeProbe, question: dict[str, Any], **changes: Any) -> None:
    """Say what the command in question would touch."""
    preview = {
        **{field: question[field] for field in ASKED},
        "parameters": ["a.weight", "a.bias"],
        "count": 2,
        "already": 0,
        "numel": 16,
        "share": 0.5,
        "gradient_bytes": 210_000_000,
        "state_bytes": 420_000_000,
        "trainable_after": 1,
        "trainable_numel_after": 8,
        "not_in_optimizer": [],
        "tied": [],
        "running_stats": [],
        "cut_off": None,
        "recompiles": False,
        "warnings": [],
        **changes,
    }
    _reply(probe, question, preview=preview, refused=None)


def refuse(probe: FakeProbe, question: dict[str, Any], reason: str) -> None:
    """Say that the command in question would be rejected."""
    _reply(probe, question, preview=None, refused=reason)


def _reply(probe: FakeProbe, question: dict[str, Any], **body: Any) -> None:
    probe.send({"type": "preview", "request": question["request"], **body})
