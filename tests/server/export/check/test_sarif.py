"""SARIF as code hosts want it.

What is required is from the specification, section 3 of
https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html, and from what GitHub asks for:
https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

from __future__ import annotations

import json
from typing import Any

import jsonschema

from gradgate.server.export.check.sarif import sarif
from gradgate.server.protocol.cause_pages import CAUSES
from tests.support.checking import finding, report

TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"minLength": 1}}}
URI = {"type": "string", "pattern": "^[^ \\\\]+$"}
REQUIRED: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "items": {
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "properties": {
                            "driver": {
                                "required": ["name", "rules"],
                                "properties": {
                                    "rules": {
                                        "uniqueItems": True,
                                        "items": {
                                            "required": ["id", "shortDescription", "help"],
                                            "properties": {
                                                "shortDescription": TEXT,
                                                "help": TEXT,
                                                "helpUri": {"pattern": "^https://"},
                                            },
                                        },
                                    }
                                },
                            }
                        },
                    },
                    "results": {
                        "items": {
                            "required": ["ruleId", "message", "locations", "partialFingerprints"],
                            "properties": {
                                "message": TEXT,
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "locations": {
                                    "minItems": 1,
                                    "items": {
                                        "required": ["physicalLocation"],
                                        "properties": {
                                            "physicalLocation": {
                                                "required": ["artifactLocation", "region"],
                                                "properties": {
                                                    "artifactLocation": {
                                                        "required": ["uri"],
                                                        "properties": {"uri": URI},
                                                    },
                                                    "region": {
                                                        "required": ["startLine"],
                                                        "properties": {"startLine": {"minimum": 1}},
                                                    },
                                                },
                                            }
                                        },
                                    },
                                },
                                "partialFingerprints": {"additionalProperties": {"type": "string"}},
                            },
                        }
                    },
                },
            }
        },
    },
}


def test_every_cause_makes_a_log_that_code_hosts_take() -> None:
    """As a rule with its page, and a result at a line."""
    log = sarif(report(*(finding(cause=cause) for cause in (*CAUSES, None, "of_a_later_probe"))))
    jsonschema.validate(log, REQUIRED)
    json.dumps(log, allow_nan=False)
    (run,) = log["runs"]
    rules = [each["id"] for each in run["tool"]["driver"]["rules"]]
    assert set(rules) >= set(CAUSES)
    assert [rules[each["ruleIndex"]] for each in run["results"]] == [
        each["ruleId"] for each in run["results"]
    ]


def test_a_result_says_where_what_and_of_whom() -> None:
    """Parameters of one cause at one line are one result; the file is relative to the checkout."""
    log = sarif(report(finding(), finding("style.bias")))
    (result,) = log["runs"][0]["results"]
    (location,) = result["locations"]
    place = location["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "models/train.py", "uriBaseId": "%SRCROOT%"}
    assert (place["region"]["startLine"], result["level"]) == (12, "error")
    assert "style = self.style(h).detach()" in place["region"]["snippet"]["text"]
    names = [each["fullyQualifiedName"] for each in location["logicalLocations"]]
    assert names == ["style.weight", "style.bias"]
    assert result["message"]["text"].endswith("The same holds for 1 more. Remove it.")


def test_what_has_no_line_is_at_the_script_and_what_is_nobodys_trouble_is_left_out() -> None:
    """A code host shows nothing without a place; an untrained parameter is no finding."""
    whole = finding(None, file=None, line=None, source=None, cause="no_step")
    elsewhere = finding(file="/usr/lib/my lib/layers.py", level="note")
    log = sarif(report(whole, elsewhere, finding("frozen", level="untrained")))
    first, second = log["runs"][0]["results"]
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "models/train.py"
    assert place["region"] == {"startLine": 1}
    assert second["level"] == "note"
    uri = second["locations"][0]["physicalLocation"]["artifactLocation"]
    assert uri == {"uri": "file:///usr/lib/my%20lib/layers.py"}


def test_a_fingerprint_outlives_moved_lines_and_what_is_accepted_is_suppressed() -> None:
    """So that a host does not tell of it anew."""
    old, new = finding(), finding(line=99, source=None, accepted=True)
    first, second = (sarif(report(each))["runs"][0]["results"][0] for each in (old, new))
    assert first["partialFingerprints"] == second["partialFingerprints"]
    assert "suppressions" not in first
    assert second["suppressions"][0]["kind"] == "external"
