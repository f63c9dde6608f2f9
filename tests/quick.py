"""Run the tests nearest to what has changed: ``make quick``.

``python -m tests.quick [BASE]`` looks at the files that differ from BASE (by default ``HEAD``, and
where nothing differs from that, ``HEAD~1``), new ones included. The tests mirror the folders of the
code: a file's own tests are ``test_NAME.py`` in the same room, and where there are none, the room.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

CHECKOUT = Path(__file__).parents[1]
ALWAYS = ("tests/packaging/test_imports.py", "tests/mutants/test_lists.py")
"""Cheap, and true of every change."""
ROUTES = {
    "pytest_plugin": "tests/pytest_plugin",
    "docs": "tests/docs",
    "templates": "tests/server/web/test_pages.py",
    "README.md": "tests/docs",
    "CONTRIBUTING.md": "tests/docs",
    "CHANGELOG.md": "tests/docs",
    "pyproject.toml": "tests/packaging/test_exports.py",
}
"""The tests of what has no mirror of its own, by the first part of its path."""


def nearest(file: str, checkout: Path = CHECKOUT) -> str | None:
    """Return the tests nearest to a file, relative to the checkout; None where there are none."""
    path = PurePosixPath(file)
    top, suffix = path.parts[0], path.suffix
    if file.startswith("tests/integrations/"):
        return None  # in an environment of their own: make test-integrations
    if top == "tests":
        is_test = (path.name.startswith("test_") and suffix == ".py") or file.endswith(".test.js")
        return file if is_test and (checkout / file).exists() else None
    if top in ROUTES:
        return ROUTES[top]
    if top == "static" and suffix == ".js":
        mirror = PurePosixPath("tests/js", *path.parts[1:]).with_suffix(".test.js")
        return str(mirror) if (checkout / mirror).exists() else None
    if top in ("probe", "server") and suffix == ".py":
        room = PurePosixPath("tests", *path.parts[:-1])
        own = room / f"test_{path.name}"
        if (checkout / own).exists():
            return str(own)
        return str(room) if (checkout / room).is_dir() and len(room.parts) > 2 else None
    return None


def changed(base: str | None) -> list[str]:
    """Return the files that differ from a commit, new ones included."""
    if base is not None:
        return _differing(base)
    return _differing("HEAD") or _differing("HEAD~1")


def plan(files: Iterable[str], checkout: Path = CHECKOUT) -> list[str]:
    """Return the tests to run, none inside another that is run as a whole."""
    wanted = {*ALWAYS, *filter(None, (nearest(file, checkout) for file in files))}
    return sorted(
        test for test in wanted if not any(str(up) in wanted for up in PurePosixPath(test).parents)
    )


def _differing(base: str) -> list[str]:
    differ = _git("diff", "--name-only", base, "--")
    return differ + _git("ls-files", "--others", "--exclude-standard")


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(
        ["git", *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def main() -> int:
    """Run the nearest tests, Python's first; return the worst exit status."""
    tests = plan(changed(sys.argv[1] if len(sys.argv) > 1 else None))
    print("nearest tests:", *tests, sep="\n  ", flush=True)
    script = [test for test in tests if test.endswith(".js")]
    python = [test for test in tests if test not in script]
    workers = ["-n", "2", "--dist", "load"]
    statuses = [
        subprocess.run([sys.executable, "-m", "pytest", "-q", *workers, *python], cwd=CHECKOUT)
    ]
    if script:
        node = Path(sys.executable).with_name("node")
        statuses.append(subprocess.run([node, "--test", *script], cwd=CHECKOUT))
    return max(status.returncode for status in statuses)


if __name__ == "__main__":
    sys.exit(main())
