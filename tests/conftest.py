"""Fixtures for every test."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import sampling
from tests.support.chromium import NoChromium, find
from tests.support.postgresql import Cluster, NoPostgresql
from tests.support.serving import ServerProcess
from tests.support.storing import CLUSTER, STORE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.browsing import Chromium


INDUCTOR_CACHE = "TORCHINDUCTOR_CACHE_DIR"
"""The variable by which torch is told where it keeps what it has compiled."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make test` have a sample."""
    which = range(1, sampling.PARTS + 1)
    parser.addoption("--sample", type=int, choices=which, help="run a quarter of each file")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only `make test-all` runs."""
    k = config.getoption("sample")
    if k is not None:
        items[:], left = sampling.split(items, k)
        config.hook.pytest_deselected(items=left)


def pytest_configure(config: pytest.Config) -> None:
    """Let torch compute in one thread, here and in training jobs, and let Ctrl-C reach them.

    The models are small, and a job that computes in as many threads as there are cores stalls
    tenfold when a server and a browser want a core too.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # A library that a killed run has half compiled would fail the next.
    if INDUCTOR_CACHE not in os.environ:
        os.environ[INDUCTOR_CACHE] = folder = tempfile.mkdtemp(prefix="gradgate-inductor-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    # A shell ignores Ctrl-C for what it runs in the background, and children inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module", autouse=True)
def small_heap() -> None:
    """Put aside what imports and earlier modules left on the heap.

    Commands of a run search the heap for what the script never handed over, and a test process
    holds ten times as much as a job: most of a test of the probe was that search.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def spool_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What jobs could not send lies in no folder of the user's."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("GRADGATE_SPOOL", str(tmp_path_factory.mktemp("spool")))
        yield


@pytest.fixture
def in_memory_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a job could not send stays in its outbox."""
    monkeypatch.setenv("GRADGATE_SPOOL", "off")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A PostgreSQL of this session; its absence is a failure: nothing replaces these tests."""
    try:
        cluster = Cluster()
    except NoPostgresql as error:
        pytest.fail(str(error))
    yield cluster
    cluster.remove()


@pytest.fixture(scope="session", autouse=True)
def store_of_the_session(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where the environment asks for it, the servers of all tests keep their runs in PostgreSQL."""
    kind = os.environ.get(STORE, "sqlite")
    if kind == "sqlite":
        yield
        return
    assert kind == "postgresql", f"{STORE} is sqlite or postgresql, and not {kind!r}"
    with pytest.MonkeyPatch.context() as environment:
        cluster: Cluster = request.getfixturevalue("postgresql")
        environment.setenv(CLUSTER, str(cluster.folder))
        yield


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


@pytest.fixture
def rank_of_two() -> Iterator[None]:
    """A process group in which this process is rank 0 of two, and hears nothing of the other."""
    import torch.distributed as dist  # as above
    from torch.testing._internal.distributed.fake_pg import FakeStore

    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    yield
    dist.destroy_process_group()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """A Chromium of this machine; its absence is a failure, since nothing replaces these tests.

    One for all: a process cannot have two of Playwright at once, and its loop goes on running.
    """
    from playwright.sync_api import sync_playwright  # which most test processes need not load

    from tests.support.browsing import Chromium

    try:
        path = find()
    except NoChromium as error:
        pytest.fail(str(error))
    if path is None:
        pytest.fail(
            "no Chromium was found: install Chromium or Google Chrome, "
            "set GRADGATE_CHROMIUM to the path of one, or run `playwright install chromium`"
        )
    with sync_playwright() as playwright:
        yield Chromium(playwright, path)


@pytest.fixture(scope="session")
def browser(chromium: Chromium) -> Iterator[Browser]:
    """A Chromium whose contexts know nothing of each other."""
    browser = chromium.launch()
    yield browser
    browser.close()
