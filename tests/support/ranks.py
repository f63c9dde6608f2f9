"""A real distributed job: one process for each rank."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from .forked import ForkedPython
from .waiting import wait_for

JOB = Path(__file__).with_name("ddp_job.py")


class RankedJob:
    """Runs `ddp_job.py` in several processes; only rank 0 is told of a server."""

    def __init__(self, folder: Path, server: str, size: int, *options: str) -> None:
        self.folder = folder
        self.size = size
        folder.mkdir(parents=True)
        self._processes = [
            ForkedPython(
                str(JOB),
                str(folder),
                str(rank),
                str(size),
                *options,
                env={**os.environ, "GRADGATE_SERVER": server, "GRADGATE_STRICT": "1"},
            )
            for rank in range(size)
        ]
        self.output = ""

    @property
    def run(self) -> str:
        """The identifier of the run."""
        path = self.folder / "run"
        return wait_for(lambda: path.exists() and path.read_text(), 60, "rank 0 attaches") or ""

    def notes(self, rank: int) -> list[Any]:
        """What a rank noted after each step; the first entry is step 1."""
        path = self.folder / f"rank{rank}.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().split("\n")[:-1]]

    def wait_for_more(self, steps: int) -> int:
        """Wait until every rank has made so many steps more; returns the step reached."""
        goal = max(len(self.notes(rank)) for rank in range(self.size)) + steps
        wait_for(
            lambda: self.ended or all(len(self.notes(r)) >= goal for r in range(self.size)),
            90,
            f"every rank reaches step {goal}",
        )
        assert not self.ended, f"the job ended: {self.stop()} {self.output}"
        return goal

    @property
    def ended(self) -> bool:
        """Whether a process has ended."""
        return any(process.poll() is not None for process in self._processes)

    def stop(self) -> list[int]:
        """Ask the job to end, wait, and return the exit codes."""
        (self.folder / "stop").touch()
        return [self._finish(process) for process in self._processes]

    def _finish(self, process: ForkedPython) -> int:
        try:
            self.output += process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            self.output += process.communicate()
        return process.wait()

    def __enter__(self) -> RankedJob:
        """Nothing more to start."""
        return self

    def __exit__(self, *_: object) -> None:
        """End what still runs."""
        for process in self._processes:
            process.kill()
            process.stdout.close()
            process.wait()
