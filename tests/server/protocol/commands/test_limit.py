"""For how long a freeze or a gate lasts: what may be asked, and how it is said."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gradgate.server.protocol.commands.change import CommandRequest
from gradgate.server.protocol.commands.gate import GateRequest
from gradgate.server.protocol.commands.limit import Limit, limit_text


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ({"steps": 500, "seconds": 600}, "for 500 steps or 10 min"),
        ({"steps": 1}, "for 1 step"),
        ({"seconds": 7200}, "for 2 h"),
        ({"seconds": 90.5}, "for 90.5 s"),
        ({"while_watched": True}, "while its page is open"),
        ({"steps": 2000, "while_watched": True}, "for 2,000 steps, while its page is open"),
    ],
)
def test_a_limit_is_said_with_each_of_its_ends(limit: dict[str, Any], words: str) -> None:
    """In the largest unit that it fills."""
    assert limit_text(Limit.model_validate(limit)) == words


@pytest.mark.parametrize(
    "limit",
    [{}, {"steps": 0}, {"steps": 1.5}, {"seconds": 0}, {"seconds": 1e12}, {"minutes": 5}],
)
@pytest.mark.parametrize("request_of", [CommandRequest, GateRequest])
def test_what_is_no_limit_is_refused(request_of: Any, limit: dict[str, Any]) -> None:
    """A limit without an end, one that is none, and a word that nobody knows."""
    kind = "freeze" if request_of is CommandRequest else "gate"
    with pytest.raises(ValidationError, match="limit"):
        request_of.model_validate({"kind": kind, "target": "a", "site": "param:a", "limit": limit})


def test_a_thaw_has_none() -> None:
    """It says to what a limit belongs."""
    with pytest.raises(ValidationError, match="`limit` is for a freeze: a thaw lasts"):
        CommandRequest.model_validate({"kind": "thaw", "target": "a", "limit": {"steps": 1}})
