"""SARIF as code hosts want it.

It is held to the schema of the specification,
https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html, and to what GitHub asks for:
https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema

from gradgate.server.export.check.sarif import sarif
from gradgate.server.protocol.cause_pages import CAUSES
from tests.support.checking import finding, report

SCHEMA = json.loads(Path(__file__).with_name("sarif-2.1.0.json").read_text("utf-8"))
"""The schema of OASIS, by its ``$id``; as @datadog/datadog-ci-plugin-sarif 5.25.0 of npm has it."""


def test_every_cause_makes_a_log_that_code_hosts_take() -> None:
    """As a rule with its page, and a result at a line."""
    log = sarif(report(*(finding(cause=cause) for cause in (*CAUSES, None, "of_a_later_probe"))))
    jsonschema.validate(log, SCHEMA)
    json.dumps(log, allow_nan=False)
    (run,) = log["runs"]
    rules = [each["id"] for each in run["tool"]["driver"]["rules"]]
    assert set(rules) >= set(CAUSES)
    assert [rules[each["ruleIndex"]] for each in run["results"]] == [
        each["ruleId"] for each in run["results"]
    ]


def test_the_help_of_a_rule_has_no_link_that_leads_nowhere() -> None:
    """Other pages of ours are not beside it on a code host."""
    log = sarif(report(*(finding(cause=cause) for cause in CAUSES)))
    for rule in log["runs"][0]["tool"]["driver"]["rules"]:
        links = re.findall(r"\]\(([^)]*)\)", rule["help"]["markdown"])
        assert all(link.startswith("https://") for link in links), links
        assert rule.get("helpUri") == next(iter(links), None)


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
    jsonschema.validate(log, SCHEMA)
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
    jsonschema.validate(sarif(report(new)), SCHEMA)
    assert first["partialFingerprints"] == second["partialFingerprints"]
    assert "suppressions" not in first
    assert second["suppressions"][0]["kind"] == "external"
