"""The documents as they are written: their links, headings, snippets and commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted(DOCS.rglob("*.md")),
]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+?)(?: \{ #(\S+) \})?$", re.MULTILINE)


def read(name: str) -> str:
    """Return the text of a page, named from the root of the repository."""
    return (ROOT / name).read_text("utf-8")


def snippets(text: str, language: str) -> list[str]:
    """Return the fenced blocks in a language, in order; "" is that of shell commands."""
    return [body for tag, body in _FENCE.findall(text) if tag == language]


def prose(text: str) -> str:
    """Return the text without its fenced blocks."""
    return _FENCE.sub("", text)


def links(text: str) -> list[str]:
    """Return the targets of the links and pictures of the prose."""
    return _LINK.findall(_SPAN.sub("", prose(text)))


def anchors(text: str) -> set[str]:
    """Return what a link may name behind `#`: each heading's slug, or the one that it has set."""
    return {given or slug(title) for title, given in _HEADING.findall(prose(text))}


def slug(title: str) -> str:
    """Return the anchor that renderers make of a heading."""
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", title.lower()).strip())


def commands(text: str) -> Iterator[list[str]]:
    """Yield the commands of the shell blocks and of the code in the prose, split into words."""
    for block in snippets(text, ""):
        for line in block.replace("\\\n", " ").splitlines():
            yield shlex.split(line, comments=True)
    for span in _SPAN.findall(prose(text)):
        if re.match(r"(curl|gradgate|make|pip|python) ", span):
            yield shlex.split(span.replace("…", ""))
