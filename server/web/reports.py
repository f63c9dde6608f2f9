"""How the report of a run looks: the tokens and the theme of the pages, and a style of its own."""

from __future__ import annotations

import base64
import hashlib
import re

from ..export.report.base import Look
from .assets import STATIC

_LIGHT = re.compile(r':root\[data-theme="light"\] \{(.*?)\}', re.DOTALL)


def report_look() -> Look:
    """Read the style and the script that go into a report; paper is light."""
    tokens = (STATIC / "css" / "tokens.css").read_text("utf-8")
    own = (STATIC / "css" / "report.css").read_text("utf-8")
    script = (STATIC / "theme.js").read_text("utf-8")
    light = _LIGHT.search(tokens)
    paper = "" if light is None else f"@media print {{ :root[data-theme] {{{light[1]}}} }}"
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return Look("\n".join((tokens, own, paper)), script, f"sha256-{digest}")
