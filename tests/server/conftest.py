"""Fixtures of the server's tests."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import pytest

from tests.support.serving import ServerProcess


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for every test that leaves it running; each test takes runs of its own."""
    data = tmp_path_factory.mktemp("shared") / "data"
    with ServerProcess(data, "--lost-after", "1") as process:
        yield process


@pytest.fixture
def run() -> str:
    """The identifier of a new run."""
    return secrets.token_hex(8)


@pytest.fixture
def new_name() -> Callable[[], str]:
    """Makes names of runs that no other test uses."""
    return lambda: f"job-{secrets.token_hex(4)}"
