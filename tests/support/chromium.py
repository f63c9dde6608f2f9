"""Make sure of a Chromium for the browser tests; run as a script, print its path.

In this order: $GRADGATE_CHROMIUM; one on the PATH; the one that Playwright downloaded earlier; the
distribution's package (as root on Debian or Ubuntu); a download by Playwright.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "GRADGATE_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class NoChromium(Exception):
    """No Chromium is there and none could be installed."""


def find() -> Path | None:
    """Return the first Chromium that runs, or None."""
    wanted = os.environ.get(VARIABLE)
    if wanted:
        if runs(Path(wanted)):
            return Path(wanted)
        raise NoChromium(
            f"{VARIABLE} is {wanted!r}, which does not run as a Chromium: correct it or unset it"
        )
    return next((path for path in candidates() if runs(path)), None)


def ensure() -> Path:
    """Return a Chromium that runs, after installing one where none does."""
    found = find()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        install_package()
        found = find()
    if found is None:
        call(sys.executable, "-m", "playwright", "install", "chromium")
        found = find()
    if found is None:
        raise NoChromium(
            "no Chromium was found and none could be installed: install Chromium or Google Chrome, "
            f"or set {VARIABLE} to the path of one"
        )
    return found


def candidates() -> Iterator[Path]:
    """Yield the places where a Chromium may be."""
    for name in NAMES:
        path = shutil.which(name)
        if path:
            yield Path(path)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield Path(playwright.chromium.executable_path)


def runs(path: Path) -> bool:
    """Tell whether it starts; Ubuntu's `chromium-browser` may be no more than a hint at a snap."""
    if not shutil.which(path):
        return False
    answer = subprocess.run([path, "--version"], capture_output=True, timeout=60)
    return answer.returncode == 0


def install_package() -> None:
    """Install Debian's or Ubuntu's package."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    call("apt-get", "-q", "update", environment=environment)
    call("apt-get", "-q", "install", "--yes", "chromium", environment=environment)


def call(*command: str, environment: dict[str, str] | None = None) -> None:
    """Run a command with its output on stderr; the search afterwards tells whether it helped."""
    subprocess.run(command, stdout=sys.stderr, env=environment)


def main() -> None:
    """Print the path of a Chromium that runs."""
    try:
        print(ensure())
    except NoChromium as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
