"""A run that loses its end says so, and one that does not is silent."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from torch.optim import SGD

from gradgate import probe
from gradgate.probe.link import uplink
from gradgate.probe.spool.folder import SpoolFolder
from tests.support.serving import ServerProcess
from tests.support.steered import chain, steps

STEPS = 50
LOST = re.compile(r"the last [\d,]+ KiB of what was measured are lost, as far as is known: (.*)\.")


@pytest.fixture
def nobody() -> Iterator[str]:
    """The address of a port that is taken, and at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def train(**options: Any) -> None:
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, every=1, **options):
        steps(model, optimizer, 1, STEPS)


@pytest.mark.parametrize("why", ["no folder", "a file in its place", "too small"])
def test_what_neither_a_server_nor_the_disk_took_is_said_to_be_lost(
    why: str,
    nobody: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also where the file, which has the beginning and the goodbye, is all that is spoken of."""
    if why == "a file in its place":
        (tmp_path / "spool").touch()
    folder = None if why == "no folder" else SpoolFolder(tmp_path / "spool", 4000)
    monkeypatch.setattr(SpoolFolder, "of_environment", lambda: folder)
    with caplog.at_level(logging.WARNING, "gradgate"):
        train(server=nobody)
    assert LOST.findall(caplog.text) == [f"neither {nobody} nor the disk has taken them"]
    assert ("what is missing lies in" in caplog.text) == (why == "too small")


def test_a_file_that_took_not_all_of_a_run_is_said_to_lack_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """On a disk that is soon full."""
    monkeypatch.setattr(uplink, "MOST_RECORDED", 4000)
    with caplog.at_level(logging.WARNING, "gradgate"):
        train(server=False, record=tmp_path / "run.gradgate")
    assert LOST.findall(caplog.text) == ["the disk has not taken them"]


@pytest.mark.parametrize("where", ["server", "disk", "record"])
def test_a_run_that_loses_nothing_says_nothing(
    where: str,
    server: ServerProcess,
    nobody: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever has taken it."""
    monkeypatch.setenv("GRADGATE_SPOOL", str(tmp_path / "spool"))
    options: dict[str, dict[str, Any]] = {
        "server": {"server": server.url},
        "disk": {"server": nobody},
        "record": {"server": False, "record": tmp_path / "run.gradgate"},
    }
    with caplog.at_level(logging.WARNING, "gradgate"):
        train(**options[where])
    assert not LOST.search(caplog.text)
