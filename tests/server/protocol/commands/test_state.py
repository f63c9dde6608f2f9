"""The life of a command."""

from __future__ import annotations

import pytest

from gradgate.server.protocol.commands.state import UNAPPLIED, CommandState

ALLOWED = {
    ("requested", "delivered"),
    ("requested", "applied"),
    ("requested", "verified"),
    ("requested", "drifted"),
    ("requested", "rejected"),
    ("requested", "superseded"),
    ("delivered", "applied"),
    ("delivered", "verified"),
    ("delivered", "drifted"),
    ("delivered", "rejected"),
    ("delivered", "superseded"),
    ("applied", "verified"),
    ("applied", "drifted"),
    ("applied", "superseded"),
    ("verified", "drifted"),
    ("verified", "superseded"),
}


@pytest.mark.parametrize("later", CommandState)
@pytest.mark.parametrize("earlier", CommandState)
def test_a_command_only_moves_on(earlier: CommandState, later: CommandState) -> None:
    """Exactly the transitions of the protocol are allowed; none leads back."""
    assert earlier.leads_to(later) == ((earlier.value, later.value) in ALLOWED)


def test_states_before_application() -> None:
    """A probe is sent what was not applied."""
    assert [state.value for state in UNAPPLIED] == ["requested", "delivered"]
