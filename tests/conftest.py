"""Fixtures for every test."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.serving import ServerProcess


def pytest_configure() -> None:
    """Let torch compute in one thread, here and in training jobs.

    The models are small, and a job that computes in as many threads as there are cores stalls
    tenfold when a server and a browser want a core too.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module", autouse=True)
def small_heap() -> None:
    """Put aside what imports and earlier modules left on the heap.

    Commands of a run search the heap for what the script never handed over, and a test process
    holds ten times as much as a job: most of a test of the probe was that search.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A real server on a free port with an empty data folder."""
    with ServerProcess(tmp_path / "data") as process:
        yield process


@pytest.fixture
def alone() -> Iterator[None]:
    """A process group of this process only."""
    import torch.distributed as dist  # not before torch was told how many threads to use

    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()
