"""The report of a check as a page."""

from __future__ import annotations

from gradgate.server.export.check.page import check_page
from gradgate.server.web.check_report import check_markup
from gradgate.server.web.reports import report_look
from tests.support.checking import finding, report


def test_findings_stand_by_what_they_ask_for() -> None:
    """What fails the check first, and apart from it notes, what is accepted, and the rest."""
    page = check_page(
        report(
            finding(),
            finding("style.bias"),
            finding("gain", level="note"),
            finding("known", accepted=True),
            finding("norm.weight", level="untrained"),
            loose=3,
        ),
        report_look(),
    )
    assert [each.names for each in page.errors] == [["style.weight", "style.bias"]]
    assert {each.key: [cause.names for cause in each.causes] for each in page.sections} == {
        "notes": [["gain"]],
        "accepted": [["known"]],
        "untrained": [["norm.weight"]],
    }
    assert page.fails
    assert [(each.name, each.weights, each.mark.name) for each in page.parameters[:3]] == [
        ("encoder.weight", "moved", "present"),
        ("style.weight", "did not move", "absent"),
        ("norm.weight", "did not move", "frozen"),
    ]
    facts = {each.name: each.value for each in page.facts}
    assert facts["Not checked"] == "3 tensors of no watched module"
    assert (facts["Trains"], facts["Numbers"]) == ("2 of 4 parameters", "80 of 100 (80.0%)")


def test_a_page_needs_nothing_else_and_text_is_text() -> None:
    """No file of another place, and markup of a script is shown as it is written."""
    markup = check_markup(report(finding()))
    assert "&lt;b&gt;" in markup
    assert "<b>" not in markup.replace("<b>{{", "")
    assert "http://" not in markup.replace("http://www.w3.org", "")
    assert 'src="' not in markup


def test_a_name_breaks_at_its_dots_alone() -> None:
    """And stays text, where a page is narrow."""
    markup = check_markup(report(finding("a.<b>.weight")))
    assert ">a.<wbr>&lt;b&gt;.<wbr>weight</span>" in markup
