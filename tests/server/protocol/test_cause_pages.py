"""What there is to read of causes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gradgate.server.protocol.cause_pages import CAUSES, cause_page

FOLDER = Path(__file__).parents[3] / "docs" / "causes"
HEADINGS = ["What it is", "Why nothing says so", "How to mend it", "In PyTorch’s own words"]


def test_every_cause_has_a_page_and_no_other_page_is_there() -> None:
    """A cause that is told somewhere can be read about."""
    assert {file.stem for file in FOLDER.iterdir()} == set(CAUSES)


@pytest.mark.parametrize("cause", CAUSES)
def test_a_page_says_what_why_and_how(cause: str) -> None:
    """Under the same headings on all, with a link to PyTorch's own documentation at the end."""
    page = cause_page(cause)
    assert page.title
    assert not page.title.startswith("#")
    parts = re.split(r"^## (.*)\n", page.text, flags=re.MULTILINE)
    assert parts[1::2] == HEADINGS
    assert all(part.strip() for part in parts[2::2])
    assert re.search(r"\]\(https://docs\.pytorch\.org/docs/stable/[\w./#-]+\)\s*$", page.text)
    for other in re.findall(r"\((\w+)\.md\)", page.text):
        assert other in CAUSES
