"""What follows a script in the tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from gradgate import probe
from gradgate.probe.script.discovery import Found
from gradgate.probe.script.watch import Watch
from gradgate.probe.session.run import Run


@dataclass
class Notes:
    """Attaches without a server, and notes what it is told."""

    found: list[Found] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    foreign: list[Run] = field(default_factory=list)
    ended: list[Run] = field(default_factory=list)
    steps: int = 0

    def attach(self, found: Found) -> Run | None:
        self.found.append(found)
        self.runs.append(probe.attach(found.given, found.optimizers, server=False, every=1))
        return self.runs[-1]

    def run_made(self, run: Run) -> None:
        self.foreign.append(run)

    def stepped(self, run: Run) -> None:
        self.steps += 1

    def end(self, run: Run, *, failed: bool) -> None:
        self.ended.append(run)
        run.detach()

    def replace(self, run: Run) -> None:
        self.end(run, failed=False)


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def watch(notes: Notes) -> Iterator[Watch]:
    """A watch of what the test makes, which is stopped at its end."""
    watch = Watch(notes)
    yield watch
    watch.stop(failed=False)
