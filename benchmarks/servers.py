"""Real servers in processes of their own, for benchmarks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SERVE = "from gradgate.server.cli.main import main; main()"


@contextmanager
def served(folder: Path, before: str = "") -> Iterator[tuple[int, str]]:
    """Serve a folder as long as the context lasts; yields its process and its address.

    `before` is code that the process runs first.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", before + _SERVE, "serve", "--port", "0", "--data", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url = next(line[line.index("http://") :] for line in process.stdout if "http://" in line)
    try:
        yield process.pid, url.strip().rstrip("/")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def processor_time(process: int) -> float:
    """Return the seconds of processor time that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
