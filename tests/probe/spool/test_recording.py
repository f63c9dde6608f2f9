"""The file of what a run sends."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradgate.probe.spool.recording import (
    MAGIC,
    Kind,
    NoRecordingError,
    Recording,
    frame_record,
    message_record,
)

HELLO = message_record(Kind.HELLO, {"type": "hello", "run": "a" * 16, "server": "http://here"})
BYE = message_record(Kind.BYE, {"type": "bye", "step": 3})
FRAMES = [(2, '{"seq": 2}'), (5, b"GG\x01\x00" + bytes(range(256))), (6, '{"name": "é"}')]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A recording of three frames."""
    path = tmp_path / "run.gradgate"
    path.write_bytes(MAGIC + HELLO + b"".join(frame_record(*each) for each in FRAMES) + BYE)
    return path


def test_what_was_written_is_read(file: Path) -> None:
    """Who the run is, where it was to go, its frames as they were, and its goodbye."""
    recording = Recording(file)
    assert recording.hello == {"type": "hello", "run": "a" * 16}
    assert recording.server == "http://here"
    assert recording.bye == {"type": "bye", "step": 3}
    assert [(each.seq, each.frame) for each in recording.after(0)] == FRAMES
    assert [each.seq for each in recording.after(2)] == [5, 6]
    assert (recording.frames, recording.last_seq) == (3, 6)


def test_a_file_cut_anywhere_is_read_up_to_its_last_whole_record(file: Path) -> None:
    """At each of its bytes: a whole record is never lost, and a part of one never read."""
    whole = file.read_bytes()
    ends = [len(MAGIC) + len(HELLO)]
    for each in FRAMES:
        ends.append(ends[-1] + len(frame_record(*each)))
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        if length < ends[0]:
            with pytest.raises(NoRecordingError):
                Recording(file)
        else:
            recording = Recording(file)
            assert recording.frames == sum(length >= end for end in ends[1:])
            assert recording.bye is None


@pytest.mark.parametrize("place", [0, 8, 12, 20, 40])
def test_a_damaged_record_ends_what_is_read(file: Path, place: int) -> None:
    """One changed byte of a record, wherever, and neither it nor what follows is taken for true."""
    damaged = bytearray(file.read_bytes())
    damaged[len(MAGIC) + len(HELLO) + len(frame_record(*FRAMES[0])) + place] ^= 0xFF
    file.write_bytes(damaged)
    assert [each.seq for each in Recording(file).after(0)] == [2]


def test_another_file_is_none(tmp_path: Path) -> None:
    """It is named in the sentence."""
    path = tmp_path / "notes.txt"
    path.write_text("anything")
    with pytest.raises(NoRecordingError, match=r"notes\.txt' is no recording"):
        Recording(path)
