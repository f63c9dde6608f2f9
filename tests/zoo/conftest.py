"""Fixtures for the zoo."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
import torch

from gradgate import probe

from .case import Case, Job


@contextmanager
def strictly() -> Iterator[None]:
    """Let the probe's own errors fail the test, and leave torch's settings as they were."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with (
        pytest.MonkeyPatch.context() as environment,
        torch.random.fork_rng(),
        torch.enable_grad(),
    ):
        environment.setenv("GRADGATE_STRICT", "1")
        yield
    torch.set_num_threads(threads)


@contextmanager
def commanded(case: Case, change: Callable[[Job], Job] = lambda job: job) -> Iterator[Job]:
    """A case's job, changed as is asked for, with what it commands in force."""
    job = change(case.job())
    if case.command is None:
        yield job
        return
    with probe.attach(job.model, job.optimizer, server=False) as run:
        case.command(run)
        yield job


@pytest.fixture(autouse=True)
def surroundings() -> Iterator[None]:
    """Each test on its own."""
    with strictly():
        yield


@pytest.fixture
def made() -> Iterator[Callable[[Case], Job]]:
    """Make a case's job, with what it commands in force until the end of the test."""
    with ExitStack() as jobs:
        yield lambda case: jobs.enter_context(commanded(case))
