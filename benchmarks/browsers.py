"""The headless Chromium of the benchmarks, and the frames that a page of it has drawn."""

from __future__ import annotations

import os
import shutil
from typing import Any

from playwright.sync_api import Browser, Page, Playwright

ARGUMENTS = ("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking")
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_COUNT = """() => {
  const counted = { frames: 0, begun: performance.now(), last: 0, longest: 0, on: true };
  const frame = (now) => {
    if (!counted.on) return;
    if (counted.last > 0) counted.longest = Math.max(counted.longest, now - counted.last);
    counted.last = now;
    counted.frames += 1;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  window.counted = counted;
}"""
_COUNTED = """() => {
  const { counted } = window;
  counted.on = false;
  return { ...counted, seconds: (performance.now() - counted.begun) / 1000 };
}"""


def chromium() -> str | None:
    """Return the Chromium to use; None for Playwright's own."""
    found = (shutil.which(name) for name in _NAMES)
    return os.environ.get("GRADGATE_CHROMIUM") or next(filter(None, found), None)


def launch(playwright: Playwright) -> Browser:
    """Start it without a profile."""
    return playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)


def count_frames(page: Page) -> None:
    """Begin to count the calls of `requestAnimationFrame`, of which 60 a second are the most."""
    page.evaluate(_COUNT)


def counted_frames(page: Page) -> dict[str, Any]:
    """End counting; returns `frames`, the `longest` in ms, and `seconds`."""
    found: dict[str, Any] = page.evaluate(_COUNTED)
    return found
