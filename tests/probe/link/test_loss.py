"""A run that loses its end says so, and one that does not is silent."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest
from torch import nn
from torch.optim import SGD

from gradgate import probe
from gradgate.probe.link import uplink
from gradgate.probe.session.run import job_of
from gradgate.probe.spool.folder import SpoolFolder
from tests.support.serving import ServerProcess
from tests.support.steered import chain, steps

STEPS = 50
LOST = re.compile(r"gradgate: (.*) the last [\d,]+ KiB of what was measured: (.*)\.")


NOBODY = "http://127.0.0.1:9"
RECORDING = ("the recording lacks", "the disk has not taken them")


def train(**options: Any) -> None:
    model, optimizer = chain(SGD)
    with probe.attach(model, optimizer, every=1, **options):
        steps(model, optimizer, 1, STEPS)


@pytest.mark.parametrize("why", ["no folder", "a file in its place", "too small"])
def test_what_neither_a_server_nor_the_disk_took_is_said_to_be_lost(
    why: str,
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
        train(server=NOBODY)
    ((who, told),) = LOST.findall(caplog.text)
    assert who == f"{NOBODY} lacks, as far as is known,"
    assert "the disk has not taken them for later" in told
    assert ("what is missing lies in" in caplog.text) == (why == "too small")


def test_a_file_that_took_not_all_of_a_run_is_said_to_lack_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """On a disk that is soon full."""
    monkeypatch.setattr(uplink, "MOST_RECORDED", 4000)
    with caplog.at_level(logging.WARNING, "gradgate"):
        train(server=False, record=tmp_path / "run.gradgate")
    assert LOST.findall(caplog.text) == [RECORDING]


@pytest.fixture
def takers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> dict[str, dict[str, Any]]:
    """Options with which a run has somebody who takes all, beside a server; the log is kept."""
    monkeypatch.setenv("GRADGATE_SPOOL", str(tmp_path / "spool"))
    caplog.set_level(logging.WARNING, "gradgate")
    return {
        "disk": {"server": NOBODY},
        "record": {"server": False, "record": tmp_path / "run.gradgate"},
    }


@pytest.mark.parametrize("where", ["server", "disk", "record"])
def test_a_run_that_loses_nothing_says_nothing(
    where: str,
    server: ServerProcess,
    takers: dict[str, dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever has taken it."""
    train(**({"server": server.url} if where == "server" else takers[where]))
    assert not LOST.search(caplog.text)


def test_of_a_run_that_the_server_has_only_the_recording_is_said_to_lack_something(
    server: ServerProcess,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is lost then."""
    monkeypatch.setattr(uplink, "MOST_RECORDED", 4000)
    with caplog.at_level(logging.WARNING, "gradgate"):
        train(server=server.url, record=tmp_path / "run.gradgate")
    assert LOST.findall(caplog.text) == [RECORDING]


@pytest.mark.parametrize("where", ["disk", "record"])
@pytest.mark.parametrize("count", [0, 20])
def test_a_table_behind_all_else_is_no_loss(
    where: str, count: int, takers: dict[str, dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """A layer that came after the last step is in what introduces the run, or in no sample."""
    model, optimizer = chain(SGD)
    run = probe.attach(model, optimizer, every=1, **takers[where])
    steps(model, optimizer, 1, count)
    run.state_dict()
    model.extra = nn.Linear(2, 2)
    run.parameters()
    run.detach()
    assert not LOST.search(caplog.text)


def test_it_is_said_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Though the thread of the link leaves after the job that did not wait for it."""
    monkeypatch.setenv("GRADGATE_SPOOL", "off")
    model, optimizer = chain(SGD)
    run = probe.attach(model, optimizer, server=NOBODY, every=1)
    steps(model, optimizer, 1, 3)
    link = job_of(run).uplink._link
    assert link is not None
    with caplog.at_level(logging.WARNING, "gradgate"):
        run.detach()
        link._leave({"type": "bye"})
    assert len(LOST.findall(caplog.text)) == 1
