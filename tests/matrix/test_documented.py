"""The matrix in ``docs/compatibility.md`` and the rows that are tested are the same."""

from __future__ import annotations

import re
from pathlib import Path

from .rows import ROWS as ONE_PROCESS
from .rows.distributed import ROWS as SEVERAL

ROWS = (*ONE_PROCESS, *SEVERAL)
DOCUMENT = Path(__file__).parents[2] / "docs" / "compatibility.md"
CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"


def table(text: str) -> list[list[str]]:
    """The cells of the one table in a text, without its head."""
    lines = re.findall(r"^\|(.+)\|$", text, re.MULTILINE)[2:]
    return [[cell.strip() for cell in line.replace("`", "").split("|")] for line in lines]


def documented() -> dict[str, tuple[str, str, str]]:
    """The table: of each way to train whether it is watched and steered right, and remarks."""
    rows = table(DOCUMENT.read_text("utf-8").partition("## Gates")[0])
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


def test_every_line_about_gates_names_a_test_that_there_is() -> None:
    """A line about gates stands for a test, and quotes a refusal as the job says it."""
    probe, tests = DOCUMENT.parents[1] / "probe", Path(__file__).parents[1] / "probe"
    said = "".join(path.read_text("utf-8") for path in sorted(probe.rglob("*.py")))
    said = re.sub(r'"\s+"', "", said)
    rows = table(DOCUMENT.read_text("utf-8").partition("## Gates")[2].partition("\n## ")[0])
    assert rows
    for _, gated, remarks, test in rows:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (tests / file).read_text("utf-8")
        for quoted in re.findall(r'"(?:\.\.\. )?([^"]+)"', remarks) if gated != "yes" else ():
            assert quoted in said


def test_versions_that_were_run_are_those_that_tests_are_pinned_to() -> None:
    """A pin that moves on leaves no line behind that says what was run with another; torch, of
    which other versions are run too, has a line for the one that is pinned."""
    pins = dict(
        re.findall(r"^([\w.-]+)==([\w.]+)", CONSTRAINTS.read_text("utf-8"), re.MULTILINE)[::-1]
    )
    rows = table(DOCUMENT.read_text("utf-8").partition("## Versions")[2].partition("\n## ")[0])
    named = [pair for *_, libraries in rows for pair in re.findall(r"([\w-]+) ([\d.]+)", libraries)]
    assert {"numpy", "ipykernel"} <= {name for name, _ in named}
    assert pins["torch"] in {torch for torch, *_ in rows}
    assert {pair for pair in named if pins.get(pair[0], pair[1]) != pair[1]} == set()
