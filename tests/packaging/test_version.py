"""The version comes from pyproject.toml alone."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from importlib.metadata import version
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
SHIPPED = ("probe", "server", "static", "templates")


def promised() -> str:
    """Return the version that pyproject.toml names."""
    text = (CHECKOUT / "pyproject.toml").read_text("utf-8")
    found = re.findall(r'^version = "([^"]+)"$', text, re.MULTILINE)
    assert len(found) == 1
    return str(found[0])


def test_what_is_installed_tells_that_version() -> None:
    """The metadata, which the probe sends, and `gradgate --version` follow after `make venv`."""
    command = [str(Path(sysconfig.get_path("scripts"), "gradgate")), "--version"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)

    assert version("gradgate") == promised()
    assert answer.stdout.strip() == f"gradgate, version {promised()}"


def test_no_other_file_has_the_version() -> None:
    """A copy of the version in the code, the page or a configuration would go stale."""
    configurations = (CHECKOUT / name for name in ("Makefile", "mkdocs.yml", "package.json"))
    code = (path for part in SHIPPED for path in (CHECKOUT / part).rglob("*"))
    texts = [
        path
        for path in (*configurations, *code)
        if path.suffix in ("", ".css", ".html", ".js", ".json", ".py", ".yml") and path.is_file()
    ]

    assert len(texts) > 50
    assert [path for path in texts if promised() in path.read_text("utf-8")] == []


def test_the_changelog_has_a_section_for_the_version() -> None:
    """Unreleased comes first, then the version with its date."""
    text = (CHECKOUT / "CHANGELOG.md").read_text("utf-8")
    first, second = re.findall(r"^## (.+)$", text, re.MULTILINE)[:2]

    assert first == "Unreleased"
    assert re.fullmatch(rf"{re.escape(promised())} - \d{{4}}-\d{{2}}-\d{{2}}", second)
