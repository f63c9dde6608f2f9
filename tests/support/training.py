"""A real training job in a process of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from .forked import ForkedPython
from .serving import ServerProcess
from .waiting import wait_for

JOB = Path(__file__).with_name("job.py")


class TrainingJob:
    """Runs `job.py` against a server; reads which bits each parameter had after each step."""

    def __init__(self, folder: Path, server: str, *options: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._process = ForkedPython(
            "-W",
            "error::DeprecationWarning",
            str(JOB),
            str(folder),
            *options,
            env={**os.environ, "GRADGATE_SERVER": server, "GRADGATE_STRICT": "1"},
        )
        self.output = ""
        self._noted: list[Any] = []
        self._bytes_read = 0

    @property
    def run(self) -> str:
        """The identifier of the run."""
        path = self.folder / "run"
        return wait_for(lambda: path.exists() and path.read_text(), 60, "the job attaches") or ""

    @property
    def step(self) -> int:
        """The last step that the job made."""
        return len(self._notes())

    def history(self) -> list[dict[str, str]]:
        """Each parameter's digest after each step; the first entry is step 1."""
        return [note["digests"] for note in self._notes()]

    def frozen(self) -> list[list[str]]:
        """The parameters that were frozen after each step; the first entry is step 1."""
        return [note["frozen"] for note in self._notes()]

    def hold(self) -> None:
        """Let the job wait in the middle of a step."""
        (self.folder / "hold").touch()
        wait_for((self.folder / "holding").exists, 60, "the job waits in the middle of a step")

    def release(self) -> None:
        """Let the job go on."""
        (self.folder / "hold").unlink()
        (self.folder / "holding").unlink()

    def signal(self, number: int) -> None:
        """Send a signal to the job's process."""
        self._process.send_signal(number)

    def wait_until_known(self, server: ServerProcess) -> None:
        """Wait until a server has heard of the job, which may make steps before that."""
        path = f"/api/runs/{self.run}"
        wait_for(lambda: server.page(path).status_code == 200, 30, "the server knows the run")

    def wait_for_step(self, step: int) -> None:
        """Wait until the job has made so many steps."""
        wait_for(lambda: self.step >= step or self.ended, 60, f"the job reaches step {step}")
        assert self.step >= step, f"the job ended: {self.stop()}"

    def wait_for_more(self, steps: int) -> int:
        """Wait until the job has made so many steps more; returns the step reached."""
        goal = self.step + steps
        self.wait_for_step(goal)
        return goal

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def _notes(self) -> list[Any]:
        """All notes of the job; only what is new is read."""
        path = self.folder / "steps.jsonl"
        if path.exists():
            with path.open("rb") as notes:
                notes.seek(self._bytes_read)
                lines = notes.read().split(b"\n")[:-1]
            self._bytes_read += sum(len(line) + 1 for line in lines)
            self._noted += map(json.loads, lines)
        return self._noted

    def stop(self) -> int:
        """Ask the job to end, wait, and return its exit code."""
        (self.folder / "stop").touch()
        self.output += self._process.communicate(timeout=60)
        return self._process.wait()

    def kill(self) -> None:
        """End the job with SIGKILL."""
        self._process.kill()
        self.output += self._process.communicate(timeout=60)

    def __enter__(self) -> TrainingJob:
        """Nothing more to start."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the job if it still runs, and print what it said, for a test that fails."""
        if not self._process.stdout.closed:
            self.kill()
        print(self.output)
