"""Which tests are nearest to a change."""

from __future__ import annotations

from pathlib import Path

import pytest

from .quick import ALWAYS, nearest, plan


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small tree that is laid out as this one is."""
    for file in [
        "tests/probe/freeze/test_freezer.py",
        "tests/server/web/test_rest.py",
        "tests/integrations/test_stacks.py",
        "tests/js/gates/draft.test.js",
    ]:
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("file", "test"),
    [
        ("probe/freeze/freezer.py", "tests/probe/freeze/test_freezer.py"),
        ("probe/freeze/anchor.py", "tests/probe/freeze"),
        ("probe/__init__.py", None),
        ("probe/unheard_of/file.py", None),
        ("server/web/rest.py", "tests/server/web/test_rest.py"),
        ("static/gates/draft.js", "tests/js/gates/draft.test.js"),
        ("static/gates/list.js", None),
        ("tests/probe/freeze/test_freezer.py", "tests/probe/freeze/test_freezer.py"),
        ("tests/probe/freeze/test_deleted.py", None),
        ("tests/support/serving.py", None),
        ("tests/integrations/test_stacks.py", None),
        ("docs/gates.md", "tests/docs"),
        ("Makefile", None),
    ],
)
def test_the_nearest_test_is_the_files_own_or_the_rooms(
    checkout: Path, file: str, test: str | None
) -> None:
    """A file has its own test, else its room's; what has no tests of its own has none."""
    assert nearest(file, checkout) == test


def test_a_test_that_is_in_a_room_runs_once(checkout: Path) -> None:
    """Where the whole room runs, its files are not named beside it."""
    files = ["probe/freeze/anchor.py", "probe/freeze/freezer.py"]
    assert plan(files, checkout) == sorted({*ALWAYS, "tests/probe/freeze"})
