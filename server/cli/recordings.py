"""The process that reads recordings: the probe's, whose format they have."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from .probe_process import probe_command


def send_all(server: str | None, files: Iterable[Path]) -> int:
    """Send recordings, by default to the server that each names; return the exit code.

    It is 1 where one could not be sent.
    """
    command = probe_command("gradgate.probe.link.send", server or "-", *map(str, files))
    return subprocess.run(command).returncode
