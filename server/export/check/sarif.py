"""Findings as SARIF 2.1.0, which code hosts show at their lines.

The format: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...protocol.cause_pages import CAUSES, cause_page
from ...protocol.check import CheckReport
from ...protocol.version import VERSION
from .groups import Group, grouped, shown

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_UNKNOWN = "unknown"
_LINK = re.compile(r"\]\((https://[^)\s]+)\)")
_BESIDE = re.compile(r"\[([^\]]+)\]\((?!https://)[^)]*\)")
"""A link to another page of ours, which leads nowhere from a code host."""
_NAMED = 20


def sarif(report: CheckReport) -> dict[str, Any]:
    """Return a log of one run: each cause that was found is a rule, each group a result."""
    groups = [each for each in grouped(report.findings) if each.first.level != "untrained"]
    causes = list(dict.fromkeys(each.first.cause or _UNKNOWN for each in groups))
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "Gradgate",
                        "semanticVersion": VERSION,
                        "rules": [_rule(each) for each in causes],
                    }
                },
                "columnKind": "utf16CodeUnits",
                "results": [_result(each, causes, report) for each in groups],
            }
        ],
    }


def _rule(cause: str) -> dict[str, Any]:
    if cause not in CAUSES:  # of a later probe
        text = {"text": cause.replace("_", " ")}
        return {"id": cause, "shortDescription": text, "help": text}
    page = cause_page(cause)
    words = _BESIDE.sub(r"\1", page.text)
    rule: dict[str, Any] = {
        "id": cause,
        "name": "".join(part.capitalize() for part in cause.split("_")),
        "shortDescription": {"text": page.headline},
        "help": {"text": words, "markdown": words},
        "properties": {"tags": ["pytorch", "gradients"]},
    }
    link = _LINK.search(words)
    if link is not None:
        rule["helpUri"] = link[1]
    return rule


def _result(group: Group, causes: list[str], report: CheckReport) -> dict[str, Any]:
    first = group.first
    cause = first.cause or _UNKNOWN
    result: dict[str, Any] = {
        "ruleId": cause,
        "ruleIndex": causes.index(cause),
        "level": "error" if first.level == "error" else "note",
        "message": {"text": _message(group)},
        "locations": [_location(group, report)],
        "partialFingerprints": {"gradgate/v1": _fingerprint(group, report.folder)},
    }
    if group.accepted:
        result["suppressions"] = [{"kind": "external", "justification": "It is in the baseline."}]
    return result


def _message(group: Group) -> str:
    first = group.first
    more = len(group.names) - 1
    also = f" The same holds for {more:,} more." if more > 0 else ""
    return f"{first.detail}{also} {first.advice}".strip()


def _location(group: Group, report: CheckReport) -> dict[str, Any]:
    """Return the place in the code; of what has none it is the beginning of the script."""
    first = group.first
    file = first.file or report.file
    region: dict[str, Any] = {"startLine": first.line or 1}
    if first.source is not None:
        text = first.source.lines[first.source.line - first.source.first]
        region["snippet"] = {"text": text}
    location: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": _artifact(file, report.folder), "region": region}
    }
    if group.names:
        location["logicalLocations"] = [
            {"fullyQualifiedName": name, "kind": "member"} for name in group.names[:_NAMED]
        ]
    return location


def _artifact(file: str, folder: str) -> dict[str, str]:
    path = shown(file, folder)
    if path == Path(file).as_posix():
        return {"uri": Path(file).as_uri() if Path(file).is_absolute() else quote(path)}
    return {"uri": quote(path), "uriBaseId": "%SRCROOT%"}


def _fingerprint(group: Group, folder: str) -> str:
    """Return what stays the same while lines move."""
    first = group.first
    file = None if first.file is None else shown(first.file, folder)
    return hashlib.sha256(f"{first.cause}\n{file}\n{first.name}".encode()).hexdigest()[:32]
