"""Starts the Chromium that was found, quiet: nothing but the page itself talks to the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Playwright

ARGUMENTS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True)
class Chromium:
    """A Chromium, not running yet."""

    playwright: Playwright
    path: Path

    def launch(self) -> Browser:
        """Start it without a profile."""
        return self.playwright.chromium.launch(executable_path=self.path, args=ARGUMENTS)

    def launch_with_profile(self, folder: Path) -> BrowserContext:
        """Start it with a profile, in which it keeps what it has compiled of a page's scripts."""
        return self.playwright.chromium.launch_persistent_context(
            folder, executable_path=self.path, args=ARGUMENTS
        )
