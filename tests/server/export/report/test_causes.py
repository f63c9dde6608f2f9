"""What is said of several parameters is said once."""

from __future__ import annotations

from gradgate.server.export.report.causes import causes_of_alerts, causes_of_explanations
from gradgate.server.protocol.alerts import Alert
from gradgate.server.protocol.explanations import Explanation
from tests.support.probing import alert, explanation


def explained(place: int, name: str) -> Explanation:
    detail = f"`{name}` reaches the loss only through `h.detach()`."
    return Explanation.model_validate(explanation(place, name, detail=detail))


def test_sentences_that_differ_in_the_name_alone_are_one() -> None:
    """With the code of the line that is meant, and the names of all."""
    first, other = causes_of_explanations(
        [
            explained(0, "a.w"),
            explained(1, "a.b"),
            Explanation.model_validate(explanation(2, "c", cause="no_grad")),
        ]
    )
    assert (first.cause, first.subject, first.names) == ("detached", "2 parameters", ["a.w", "a.b"])
    assert [line.number for line in first.lines if line.meant] == [41]
    assert (other.cause, other.subject) == ("no grad", "c")


def test_alerts_keep_their_level_and_the_step_since_which_they_hold() -> None:
    """One of the whole run has no parameter to name."""
    told = [
        Alert.model_validate(alert(0, "a")),
        Alert.model_validate(alert(1, "b", since_step=13)),
        Alert.model_validate(alert(None, None, level="note")),
    ]
    found = causes_of_alerts(told)
    assert [(each.standing, each.subject, each.since) for each in found] == [
        ("alert", "a", "since step 12"),
        ("alert", "b", "since step 13"),
        ("note", "the whole run", "since step 12"),
    ]
