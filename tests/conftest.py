"""Fixtures for every test."""

from __future__ import annotations

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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A real server on a free port with an empty data folder."""
    with ServerProcess(tmp_path / "data") as process:
        yield process
