"""The process that reads recordings: the probe's, whose format they have."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path


def sending(server: str | None, files: Iterable[Path]) -> list[str]:
    """Return the command that sends recordings to a server, by default to that which they name."""
    alone = ["-P"] if sys.version_info >= (3, 11) else []
    ours = [*alone, "-m", "gradgate.probe.link.send", server or "-"]
    return [sys.executable, *ours, *map(str, files)]


def send_all(server: str | None, files: Iterable[Path]) -> int:
    """Send recordings, and return the exit code: 1 where one could not be sent."""
    return subprocess.run(sending(server, files)).returncode
