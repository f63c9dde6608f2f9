"""docs/architecture.md lists every folder and file that there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"
SIDES = ("probe", "pytest_plugin", "server", "static", "templates")
ENDINGS = {".py", ".js", ".ts", ".css", ".html"}


def listed() -> dict[str, dict[str, str]]:
    """Read the page: by folder, its files and what is said of each."""
    folders: dict[str, dict[str, str]] = {}
    folder = None
    for line in PAGE.read_text("utf-8").splitlines():
        if line.startswith("#"):
            heading = re.match(r"#+ `([\w/]+)/`", line)
            folder = heading[1] if heading else None
            if folder is not None:
                folders[folder] = {}
        elif folder is not None and (row := re.match(r"- `([\w.-]+)`: (.+)", line)):
            folders[folder][row[1]] = row[2]
    return folders


def present() -> dict[str, set[str]]:
    """Look into the tree: by folder, its files of code; ``__init__`` is the folder itself."""
    folders: dict[str, set[str]] = {}
    for side in SIDES:
        for path in (ROOT / side).rglob("*"):
            if path.suffix in ENDINGS and path.name != "__init__.py":
                folder = path.parent.relative_to(ROOT).as_posix()
                folders.setdefault(folder, set()).add(path.name)
    return folders


def test_every_folder_and_file_is_listed_and_no_other() -> None:
    """A file that is added, moved or taken away has its line added, moved or taken away."""
    page = {folder: set(files) for folder, files in listed().items() if files}
    assert page == present()


def test_every_file_that_is_named_exists() -> None:
    """The ways of a sample and of a command name the file of each stage."""
    named = re.findall(
        r"`((?:probe|server|static|templates|tests|docs)/[\w./-]+\.\w+)`", PAGE.read_text("utf-8")
    )
    assert named
    assert [file for file in named if not (ROOT / file).is_file()] == []
