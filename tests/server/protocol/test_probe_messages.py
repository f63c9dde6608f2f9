"""What a probe may say: tables, reports and answers that contradict themselves are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from gradgate.server.protocol import limits
from gradgate.server.protocol.probe_messages import STREAMED, Explanations, Hello, Report
from tests.support.probing import distribution, explanation, hello, preview, table_row


def seen(**changes: Any) -> dict[str, Any]:
    """A message with one distribution."""
    row = {"parameter": 0, "gradient": distribution(**changes), "weight": None}
    return {"type": "distributions", "step": 1, "time": 1.0, "parameters": [row]}


REPORT = {"type": "report", "seq": 1, "state": "applied", "time": 1.0}
TOTALS = {
    "type": "totals",
    "seq": 1,
    "time": 1.0,
    "steps": [2, 5],
    "norms": [1.0, None],
    "flags": [0, 1],
}


def read(message: dict[str, Any]) -> Any:
    """Read a message as it comes."""
    return STREAMED.validate_json(json.dumps(message))


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (REPORT, "either `id` or `local`"),
        ({**REPORT, "id": 1, "local": 1}, "either `id` or `local`"),
        ({**REPORT, "local": 1, "kind": "freeze"}, "has `kind` and `target`"),
        ({**REPORT, "local": 1, "target": "a"}, "has `kind` and `target`"),
        ({**REPORT, "local": 1, "kind": "ungate"}, "has `kind` and `target`"),
        (seen(numel=9), "`numel` together"),
        (seen(negative=[2]), "an entry for each octave"),
        ({"type": "preview", "request": 1}, "either `preview` or `refused`"),
        ({"type": "preview", "request": 1, "preview": preview(), "refused": "no"}, "either"),
        (
            {"type": "parameters", "seq": 1, "parameters": [table_row("a"), table_row("a")]},
            "two parameters are named 'a'",
        ),
        (
            {
                "type": "parameters",
                "seq": 1,
                "parameters": [table_row("a", numel=limits.NUMBER), table_row("b")],
            },
            "at most",
        ),
        (
            {
                "type": "explanations",
                "seq": 1,
                "step": 1,
                "seconds": 1.0,
                "explanations": [explanation()],
                "total": 0,
            },
            "`total` counts",
        ),
        (
            {"type": "metrics", "seq": 0, "step": 1, "time": 1.0, "values": {}},
            "greater than or equal to 1",
        ),
        ({**TOTALS, "norms": [1.0]}, "one entry a step each"),
        ({**TOTALS, "flags": []}, "one entry a step each"),
        ({**TOTALS, "steps": [2, 2]}, "`steps` rise"),
        ({**TOTALS, "steps": [], "norms": [], "flags": []}, "at least 1 item"),
    ],
)
def test_a_message_that_contradicts_itself(message: dict[str, Any], fault: str) -> None:
    """The sentence says what belongs there."""
    with pytest.raises(ValidationError, match=fault):
        read(message)


def test_fields_of_another_version_are_ignored() -> None:
    """And the rest is read."""
    assert read({**REPORT, "id": 4, "colour": "red"}).id == 4


@pytest.mark.parametrize(
    ("fields", "news"),
    [({}, False), ({"step": 3}, False), ({"reason": "x"}, True), ({"detail": "x"}, True)],
)
def test_a_report_has_news_where_it_says_more_than_a_state(
    fields: dict[str, Any], news: bool
) -> None:
    """A step or parameters are no news of a state that is known."""
    assert read({**REPORT, "id": 1, **fields}).has_news is news


def test_a_report_of_a_site_acts_there() -> None:
    """The log's word for the place of a gate is its site."""
    report = read({**REPORT, "local": 1, "kind": "gate", "site": "output:a"})
    assert isinstance(report, Report)
    assert report.place == "output:a"


def test_all_that_a_traced_step_showed_is_counted() -> None:
    """Those that are not listed too."""
    fields = {"type": "explanations", "seq": 1, "step": 1, "seconds": 1.0}
    for total, count in ((None, 1), (7, 7)):
        traced = read({**fields, "explanations": [explanation()], "total": total})
        assert isinstance(traced, Explanations)
        assert traced.count == count


def test_a_job_is_one_of_one_rank_that_expects_nothing() -> None:
    """Unless its hello says so."""
    first = Hello.model_validate(hello("a" * 16))
    assert (first.ranks, first.compiled, first.expect) == (1, False, [])
