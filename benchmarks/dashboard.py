"""A real server in a process of its own, on a free port and with an empty store."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

COMMAND = Path(sys.executable).with_name("gradgate")
KNOWN_WITHIN = 30


@dataclass(frozen=True)
class Dashboard:
    """A server that runs."""

    url: str
    pid: int

    @property
    def ws_url(self) -> str:
        """Return the address for WebSockets."""
        return "ws" + self.url.removeprefix("http")

    def get(self, path: str) -> Any:
        """Return what the REST interface answers."""
        with urlopen(self.url + path) as answer:
            return json.load(answer)

    def wait_for_run(self, run: str) -> None:
        """Wait until the server knows a run."""
        deadline = time.monotonic() + KNOWN_WITHIN
        while run not in {row["id"] for row in self.get("/api/runs")["runs"]}:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the server did not hear of run {run} in {KNOWN_WITHIN} s")
            time.sleep(0.05)


@contextmanager
def dashboard() -> Iterator[Dashboard]:
    """Start `gradgate serve`, wait for its address, and stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="gradgate-") as data:
        command = [str(COMMAND), "serve", "--port", "0", "--data", data]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            first = server.stdout.readline()
            if not first.startswith("Gradgate dashboard: "):
                raise RuntimeError(f"the server did not start: it printed {first!r}")
            try:
                yield Dashboard(first.split()[-1].rstrip("/"), server.pid)
            finally:
                server.terminate()
