"""Alerts and notes in words."""

from __future__ import annotations

from gradgate.server.cli.texts.alerts import alert_lines
from gradgate.server.protocol.alerts import Alert
from tests.support.probing import alert


def test_what_differs_in_its_name_alone_is_one_entry() -> None:
    """Another level, line, cause or step is another entry."""
    told = [
        alert(0, "a.w", detail="`a.w` stays."),
        alert(1, "b.w", detail="`b.w` stays.", where="t.py:7"),
        alert(2, "a.b", detail="`a.b` stays."),
        alert(3, "c.w", detail="`c.w` stays.", level="note"),
        alert(4, "c.b", detail="`c.b` stays.", since_step=13),
    ]
    assert list(alert_lines(map(Alert.model_validate, told))) == [
        "a.w, a.b: detached, since step 12",
        "    `a.w` stays.",
        "b.w: detached at t.py:7, since step 12",
        "    `b.w` stays.",
        "Note: c.w: detached, since step 12",
        "    `c.w` stays.",
        "c.b: detached, since step 13",
        "    `c.b` stays.",
    ]
