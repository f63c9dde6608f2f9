"""For how long a freeze or a gate lasts."""

from __future__ import annotations

from typing import Any

import pytest

from gradgate.probe.base.errors import CommandError
from gradgate.probe.model.commands import read_command
from gradgate.probe.model.limit import Limit


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        ({"steps": 0}, "for_steps=0"),
        ({"steps": 1.5}, "for_steps=1.5"),
        ({"steps": True}, "for_steps=True"),
        ({"seconds": 0}, "for_seconds=0"),
        ({"seconds": float("nan")}, "for_seconds=nan"),
        ({"seconds": "60"}, "for_seconds='60'"),
        ({"seconds": 1e12}, "for_seconds=1000"),
        ({}, "give one"),
        ({"while_watched": "yes"}, "give one"),
    ],
)
@pytest.mark.parametrize("kind", ["freeze", "gate"])
def test_what_is_no_limit_is_refused(kind: str, limit: dict[str, Any], sentence: str) -> None:
    """By a sentence that names it, for each kind of command that can have one."""
    command = read_command({"kind": kind, "target": "a", "site": "param:a", "limit": limit})
    with pytest.raises(CommandError, match=sentence):
        command.check()


@pytest.mark.parametrize("limit", [5, "5 steps", [5]])
def test_what_has_not_the_shape_of_a_limit_is_refused(limit: Any) -> None:
    """It says what a limit has."""
    with pytest.raises(CommandError, match="steps"):
        read_command({"kind": "freeze", "target": "a", "limit": limit}).check()


def test_a_thaw_has_none() -> None:
    """It says to what a limit belongs."""
    with pytest.raises(CommandError, match="belongs to a freeze"):
        read_command({"kind": "thaw", "target": "a", "limit": {"steps": 1}}).check()


def test_two_limits_are_never_one() -> None:
    """Each belongs to its command, whatever their figures."""
    one, other = Limit(steps=5), Limit(steps=5)
    assert one != other
    assert one.same(other)
    assert not one.same(Limit(steps=6))
    assert not one.same(None)


def test_a_limit_goes_to_other_ranks_and_back() -> None:
    """In a freeze and in a gate."""
    for kind in ("freeze", "gate"):
        asked = {"kind": kind, "target": "a", "site": "param:a", "limit": {"steps": 3}}
        sent = read_command(read_command(asked).as_message()).as_message()
        assert sent["limit"] == {"steps": 3, "seconds": None, "while_watched": False}
