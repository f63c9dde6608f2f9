"""The file to which goes what no server has taken."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gradgate.probe.spool.recording import Recording
from gradgate.probe.spool.spool import Spool, lock_of

BYE = {"type": "bye"}


def hello() -> Mapping[str, Any]:
    return {"type": "hello", "run": "a" * 16, "parameters": []}


def numbered(first: int, last: int, size: int = 10) -> list[tuple[int, bytes | str]]:
    return [(seq, b"x" * size) for seq in range(first, last + 1)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool" / "run.gradgate"


def test_frames_are_taken_in_order_and_each_once(path: Path) -> None:
    """In portions, also while more are added; from the start again over a new connection."""
    spool = Spool(path, 2**30, None)
    assert spool.add(numbered(1, 3, 3 * 2**20), hello, anew=False) == 3
    first = spool.take(0)
    spool.add(numbered(4, 4), hello, anew=True)
    taken = [first, spool.take(2), spool.take(4)]
    assert [[seq for seq, _ in each] for each in taken] == [[1, 2], [3, 4], []]
    spool.rewind()
    assert [seq for seq, _ in spool.take(1)] == [2, 3]
    spool.end(BYE)


@pytest.mark.parametrize(("left_out", "given"), [(3, [1, 2]), (2, [1, 3]), (7, [1, 2, 3])])
def test_a_frame_that_is_left_out_is_given_to_nobody(
    path: Path, left_out: int, given: list[int]
) -> None:
    """And the file goes with the last of the others, or, where it had no other, with none."""
    spool = Spool(path, 2**30, None)
    spool.add(numbered(1, 3), hello, anew=False)
    spool.leave_out(left_out)
    assert [seq for seq, _ in spool.take(0)] == given
    spool.forget(given[-1] - 1)
    assert path.exists()
    spool.forget(given[-1])
    assert not path.exists()
    spool.add(numbered(8, 8), hello, anew=False)
    spool.leave_out(8)
    assert (spool.last_seq, spool.take(0)) == (0, [])
    spool.forget(0)
    assert not path.exists()


def test_the_file_goes_with_its_last_frame_and_comes_again(path: Path) -> None:
    """Nothing is left of it, nor of its lock; a later outage makes another."""
    spool = Spool(path, 2**30, None)
    spool.add(numbered(1, 3), hello, anew=False)
    spool.forget(2)
    assert path.exists()
    spool.forget(3)
    assert list(path.parent.iterdir()) == []
    spool.add(numbered(7, 8), hello, anew=False)
    assert [seq for seq, _ in spool.take(6)] == [7, 8]
    assert spool.end(BYE) == path
    assert spool.end(BYE) is None
    assert not lock_of(path).exists()
    assert [each.seq for each in Recording(path).after(0)] == [7, 8]
    assert Recording(path).bye == BYE


def test_it_takes_no_more_than_it_may_and_says_so_once(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It tells how far it came, and has its goodbye all the same."""
    spool = Spool(path, 10_000, None)
    assert spool.add(numbered(1, 20, 1000), hello, anew=False) == 9
    assert spool.add(numbered(10, 20, 1000), hello, anew=False) == 0
    assert path.stat().st_size <= 10_000
    assert [record.message for record in caplog.records] == [
        f"gradgate: {path} has reached its 0 MiB, so what is measured now waits in memory alone, "
        "where the oldest is dropped. Training goes on."
    ]
    spool.end(BYE)
    assert Recording(path).bye == BYE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="asks the system for a full disk")
def test_a_full_disk_loses_nothing_that_was_there(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be written is not taken; with room again, all goes on behind the last whole."""
    spool = Spool(path, 2**30, None)
    spool.add(numbered(1, 3), hello, anew=False)
    good = spool._file
    with Path("/dev/full").open("r+b", buffering=0) as full:
        monkeypatch.setattr(spool, "_file", full)
        assert spool.add(numbered(4, 6), hello, anew=False) == 0
    monkeypatch.setattr(spool, "_file", good)
    assert "No space left on device" in caplog.text
    assert spool.add(numbered(4, 6), hello, anew=False) == 6
    assert [seq for seq, _ in spool.take(0)] == [1, 2, 3, 4, 5, 6]
    spool.end(BYE)


@pytest.mark.parametrize("room", [0, 5, 40])
def test_a_disk_that_is_full_at_first_leaves_a_file_that_can_be_read(
    path: Path, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room again, the file says whose it is before it has a frame, however far it came."""
    spool = Spool(path, room, None)
    assert spool.add(numbered(1, 3), hello, anew=False) == 0
    monkeypatch.setattr(spool, "_most_bytes", 2**20)
    assert spool.add(numbered(1, 3), hello, anew=False) == 3
    assert spool.end(BYE) == path
    assert Recording(path).last_seq == 3


def test_what_comes_after_the_end_leaves_the_file_as_it_is(path: Path) -> None:
    """A thread that was held up by a server begins no new file in its place."""
    spool = Spool(path, 1000, None)
    taken = spool.add(numbered(1, 99), hello, anew=False)
    assert 0 < taken < 99
    assert spool.end(BYE) == path
    assert spool.add(numbered(taken + 1, taken + 2), hello, anew=False) == 0
    assert Recording(path).last_seq == taken


def test_a_goodbye_alone_is_left_where_that_is_asked_for(path: Path) -> None:
    """Behind whose it is, since a server that has all else calls the run lost without it."""
    spool = Spool(path, 2**30, "http://there")
    spool.add(numbered(1, 3), hello, anew=False)
    spool.forget(3)
    assert spool.end(BYE, hello) == path
    assert spool.end(BYE, hello) is None
    recording = Recording(path)
    assert (recording.frames, recording.bye, recording.server) == (0, BYE, "http://there")
    assert recording.hello == hello()
    assert not lock_of(path).exists()


@pytest.mark.parametrize("room", [5, 2**20], ids=["no room", "gone"])
def test_a_goodbye_of_nobody_leaves_no_file(path: Path, room: int) -> None:
    """Where the disk has no room for whose it is, or the run is gone."""
    spool = Spool(path, room, None)
    assert spool.end(BYE, hello if room == 5 else lambda: None) is None
    assert list(path.parent.glob("*")) == []


def test_a_folder_that_cannot_be_made_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And nothing else happens."""
    (tmp_path / "file").touch()
    spool = Spool(tmp_path / "file" / "run.gradgate", 2**30, None)
    with caplog.at_level(logging.WARNING):
        assert spool.add(numbered(1, 3), hello, anew=False) == 0
    assert "cannot be written" in caplog.text
    assert spool.end(BYE, hello) is None


def test_a_run_that_is_gone_before_it_said_who_it_is_leaves_nothing(path: Path) -> None:
    """Frames that nobody could tell the run of are of no use."""
    spool = Spool(path, 2**30, None)
    assert spool.add(numbered(1, 3), lambda: None, anew=False) == 0
    assert not path.exists()
