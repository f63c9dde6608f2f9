"""What the documents say of training libraries is what ``tests/integrations`` runs."""

from __future__ import annotations

import re
from pathlib import Path

from tests.integrations.stacks import STACKS

ROOT = Path(__file__).parents[2]
SECTION = (
    (ROOT / "docs" / "compatibility.md")
    .read_text("utf-8")
    .partition("## Training libraries")[2]
    .partition("\n## ")[0]
)


def rows(columns: int) -> list[list[str]]:
    """The rows of the table with so many columns, without its head."""
    found = [
        [cell.strip() for cell in line.split(" | ")]
        for line in re.findall(r"^\| (.+) \|$", SECTION, re.MULTILINE)
    ]
    return [row for row in found if len(row) == columns][1:]


def test_every_stack_that_is_trained_has_its_line_and_no_other() -> None:
    """A line that nothing trains, and a stack that is not told of, fail here."""
    assert [row[0] for row in rows(6)] == list(STACKS)
    assert all(row[1:5] == ["yes"] * 4 for row in rows(6))


def test_the_versions_are_those_that_are_pinned() -> None:
    """The table names what ``make test-integrations`` installs."""
    pins = "".join(
        (ROOT / name).read_text("utf-8")
        for name in ("constraints.txt", "constraints-integrations.txt")
    )
    assert rows(2)
    for library, version in rows(2):
        assert re.search(rf"^{library}=={re.escape(version)}\b", pins, re.MULTILINE), library
    assert "torch 2.13.0" in SECTION
    assert re.search(r"^torch==2\.13\.0$", pins, re.MULTILINE)
