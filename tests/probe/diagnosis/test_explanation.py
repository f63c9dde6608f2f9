"""What is said of a parameter, and the stations of its gradient's way."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradgate.probe.base.source import Place
from gradgate.probe.diagnosis.case import Finding
from gradgate.probe.diagnosis.explanation import MOST, explanation_of, stations
from gradgate.probe.diagnosis.tape import Value
from gradgate.server.protocol.explanations import Explanation as ToldExplanation
from tests.support.tracing import call, value

PLACE = Place(__file__, 3, "forward")


def way(*modules: str | None) -> list[Value]:
    """A way from a parameter through modules, one value each."""
    return [value(), *(value(call("relu", module=module)) for module in modules)]


def told(finding: Finding) -> list[tuple[str, str, str]]:
    return [(each.label, each.kind, each.flow) for each in stations("w", finding)]


def test_a_way_leads_from_the_loss_through_modules_to_the_parameter() -> None:
    """What a module did itself around one inside of it is passed by, and so is what is in none."""
    finding = Finding("unknown", "", "", way=way("stem", "body", "body.norm", None, "head"))
    assert told(finding) == [
        ("loss", "loss", "flows"),
        ("head", "module", "flows"),
        ("body.norm", "module", "flows"),
        ("stem", "module", "flows"),
        ("w", "parameter", "flows"),
    ]


def test_a_module_inside_of_another_is_a_station_of_its_own() -> None:
    """The way goes into it."""
    finding = Finding("unknown", "", "", way=way("stem.conv", "stem", "stem"))
    assert [label for label, *_ in told(finding)] == ["loss", "stem", "stem.conv", "w"]


def test_behind_the_stop_nothing_flows() -> None:
    """The stop has the line of the cause."""
    values = way("stem", "cut", "head")
    values[2].carries = False
    finding = Finding("detached", "", "", PLACE, values, values[2], "detach()")
    assert told(finding) == [
        ("loss", "loss", "flows"),
        ("head", "module", "flows"),
        ("detach()", "call", "stops"),
        ("cut", "module", "none"),
        ("stem", "module", "none"),
        ("w", "parameter", "none"),
    ]
    (stop,) = (each for each in stations("w", finding) if each.flow == "stops")
    assert stop.where == PLACE.text


def test_a_gradient_that_stops_where_it_carries_one_reached_its_module() -> None:
    """A ReLU that makes zeros of it is a station of the way."""
    values = way("stem", "relu", "head")
    finding = Finding("zero_gradient", "", "", PLACE, values, values[2], "relu")
    assert [(label, flow) for label, _, flow in told(finding)] == [
        ("loss", "flows"),
        ("head", "flows"),
        ("relu", "flows"),
        ("relu", "stops"),
        ("stem", "none"),
        ("w", "none"),
    ]


def test_nan_goes_on_from_where_it_began() -> None:
    """The gradient does not stop there: what comes to the parameter is NaN."""
    values = way("stem", "root", "head")
    finding = Finding("nonfinite", "", "", PLACE, values, values[2], "sqrt()", goes_on=True)
    assert [(label, flow) for label, _, flow in told(finding)] == [
        ("loss", "flows"),
        ("head", "flows"),
        ("root", "flows"),
        ("sqrt()", "turns"),
        ("stem", "nonfinite"),
        ("w", "nonfinite"),
    ]


def test_what_never_got_to_the_loss_is_behind_the_stop() -> None:
    """The last value of the way is where it ends."""
    values = way("stem", "head")
    finding = Finding("not_in_loss", "", "", PLACE, values, values[-1], "not in the loss")
    assert [(label, flow) for label, _, flow in told(finding)] == [
        ("loss", "flows"),
        ("not in the loss", "stops"),
        ("head", "none"),
        ("stem", "none"),
        ("w", "none"),
    ]


def test_what_stops_at_the_parameter_itself_is_before_it() -> None:
    """A freeze, say; all before it flows."""
    finding = Finding("frozen_by_command", "", "", None, way("head"), stopped_by="freeze")
    assert told(finding)[1:] == [
        ("head", "module", "flows"),
        ("freeze", "call", "stops"),
        ("w", "parameter", "none"),
    ]


def test_a_long_way_is_shown_at_its_ends_and_around_the_stop() -> None:
    """The middle is left out."""
    values = way(*(f"m{i}" for i in range(100)))
    finding = Finding("zero_gradient", "", "", PLACE, values, values[50], "relu")
    labels = [label for label, *_ in told(finding)]
    assert len(labels) <= MOST
    assert labels[:2] == ["loss", "m99"]
    assert labels[-2:] == ["m0", "w"]
    assert "relu" in labels


def test_an_explanation_shows_the_line_of_its_place() -> None:
    """And a few around it; a cause without a place has neither."""
    found = explanation_of("w", Finding("detached", "It is cut.", "Mend it.", PLACE))
    assert found.source is not None
    lines = Path(__file__).read_text("utf-8").splitlines()
    assert found.source.lines[found.source.line - found.source.first] == lines[2]
    assert found.where is not None
    assert found.where.endswith("test_explanation.py:3")
    nowhere = explanation_of("w", Finding("unknown", "It is not known.", "Report it."))
    assert (nowhere.where, nowhere.source) == (None, None)
    assert nowhere.as_message()["path"][-1]["label"] == "w"


@pytest.mark.parametrize("text", ["a\0b", "way " * 5000])
def test_a_server_takes_what_is_said_of_anything(text: str) -> None:
    """However long the names, the lines and the words are that it quotes, and what is in them."""
    place = Place(text, 3, "forward")
    finding = Finding("unknown", text, text, place=place, way=way(text, "head"))
    message = explanation_of(text, finding).as_message()
    parsed = ToldExplanation.model_validate({"parameter": 0, "name": "w", **message})
    assert len(parsed.path) == len(message["path"])
