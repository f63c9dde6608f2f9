"""Build sdist and wheel, check them, and try the wheel in empty environments: `make release`.

Tried with this Python and with the oldest that pyproject.toml promises, which is found on the PATH
or given as the one argument. Publishing is left to whoever has the right to.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
DIST = CHECKOUT / "dist"
CONSTRAINTS = CHECKOUT / "constraints.txt"
SMOKE = Path(__file__).with_name("smoke.py")


class ReleaseError(Exception):
    """There is nothing that could be released."""


def main(arguments: list[str]) -> None:
    """Make a release, and say what it is made of."""
    oldest = find_oldest(promised(), *arguments)
    remove([DIST, *CHECKOUT.glob("*.egg-info")])  # setuptools takes up what an old list names
    run(sys.executable, "-m", "build", CHECKOUT, quiet=True)
    made = sorted(DIST.iterdir())
    run(sys.executable, "-m", "twine", "check", "--strict", *made)
    (wheel,) = (path for path in made if path.suffix == ".whl")
    for python in dict.fromkeys((oldest, sys.executable)):
        attempt(python, wheel)
    for path in made:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"{path.relative_to(CHECKOUT)}  {path.stat().st_size:,} bytes  sha256 {digest}")


def promised() -> str:
    """Return the oldest Python that pyproject.toml promises, such as `3.11`."""
    text = (CHECKOUT / "pyproject.toml").read_text("utf-8")
    found = re.search(r'^requires-python = ">=(\d+\.\d+)"$', text, re.MULTILINE)
    assert found is not None, "pyproject.toml has no requires-python of the form >=X.Y"
    return found[1]


def find_oldest(wanted: str, python: str | None = None) -> str:
    """Return an interpreter of the version ``wanted``: the given one, or one on the PATH."""
    named = python or f"python{wanted}"
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    path = shutil.which(named)
    answer = path and subprocess.run([path, "-I", "-c", code], capture_output=True, text=True)
    if not answer or answer.returncode:
        raise ReleaseError(
            f"{named} does not run, and gradgate promises Python {wanted}: install that, "
            f"or name one with `make release OLDEST_PYTHON=/path/to/python{wanted}`"
        )
    if answer.stdout.strip() != wanted:
        raise ReleaseError(
            f"{named} is Python {answer.stdout.strip()}, and the oldest that gradgate promises "
            f"is {wanted}: give one of these as OLDEST_PYTHON"
        )
    return str(path)


def attempt(python: str, wheel: Path) -> None:
    """Install a wheel into an empty environment of ``python``, and use it there."""
    with tempfile.TemporaryDirectory(prefix="gradgate-release-") as folder:
        environment = Path(folder, "environment")
        run(python, "-m", "venv", environment)
        installed = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        pip = (installed, "-m", "pip", "--disable-pip-version-check")
        run(*pip, "install", wheel, quiet=True)
        run(*pip, "check")
        run(installed, "-I", SMOKE, Path(folder), cwd=folder)


def run(*command: str | Path, cwd: str | Path = CHECKOUT, quiet: bool = False) -> None:
    """Run a command under the constraints, without a PYTHONPATH to the checkout.

    One that is ``quiet`` is heard only when it fails.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    print("+", *command, flush=True)
    environment["PIP_CONSTRAINT"] = str(CONSTRAINTS)
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
    )
    if done.returncode:
        print(done.stdout or "", end="")
        raise ReleaseError(f"the command above ended with {done.returncode}")


def remove(folders: Iterable[Path]) -> None:
    """Remove folders that an earlier build may have left."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ReleaseError as error:
        sys.exit(f"error: {error}")
