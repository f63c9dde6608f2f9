"""The matrix in ``docs/compatibility.md`` and the rows that are tested are the same."""

from __future__ import annotations

import re
from pathlib import Path

from .rows import ROWS as ONE_PROCESS
from .rows.distributed import ROWS as SEVERAL

ROWS = (*ONE_PROCESS, *SEVERAL)
DOCUMENT = Path(__file__).parents[2] / "docs" / "compatibility.md"


def documented() -> dict[str, tuple[str, str, str]]:
    """The table: of each way to train whether it is watched and steered right, and remarks."""
    lines = re.findall(r"^\|(.+)\|$", DOCUMENT.read_text("utf-8"), re.MULTILINE)[2:]
    rows = [[cell.strip() for cell in line.replace("`", "").split("|")] for line in lines]
    return {name: (watched, steered, remarks) for name, watched, steered, remarks in rows}


def test_the_document_has_one_line_for_every_row_and_no_other() -> None:
    """A row without a line, or a line that no test stands for, fails here."""
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names))
    assert sorted(documented()) == sorted(names)


def test_the_document_says_where_a_freeze_is_refused() -> None:
    """A line says "refused" exactly where the row's test wants a refusal, with its words."""
    lines = documented()
    for row in ROWS:
        watched, steered, remarks = lines[row.name]
        assert watched == "yes"
        assert steered == ("refused" if row.refusal else "yes"), row.name
        assert (row.refusal or "") in remarks
