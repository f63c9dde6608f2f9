"""Fixtures for the zoo."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import torch

from gradgate import probe

from .case import Case, Job


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the probe's own errors fail the test, and leave torch's settings as they were."""
    monkeypatch.setenv("GRADGATE_STRICT", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(), torch.enable_grad():
        yield
    torch.set_num_threads(threads)


@pytest.fixture
def made() -> Iterator[Callable[[Case], Job]]:
    """Make a case's job, with what it commands in force until the end of the test."""
    with ExitStack() as runs:

        def make(case: Case) -> Job:
            job = case.job()
            if case.command is not None:
                run = runs.enter_context(probe.attach(job.model, job.optimizer, server=False))
                case.command(run)
            return job

        yield make
