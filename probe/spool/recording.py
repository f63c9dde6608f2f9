"""A file of what a run sends a server: checksummed records, one behind the other.

It starts with ``GRADGATE`` and the number of its format. A record is a header of 17 bytes, little
endian, and its payload: the payload's length (u32), the CRC-32 of all that follows (u32), the kind
(u8), the sequence number of the frame or 0 (u64). So a file that was cut anywhere, by a full disk
or a killed process, can be read up to its last whole record.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from enum import IntEnum
from pathlib import Path
from typing import IO, Any, NamedTuple

MAGIC = b"GRADGATE\x01"
"""What each file starts with."""
SUFFIX = ".gradgate"

_LENGTHS = struct.Struct("<II")
_ABOUT = struct.Struct("<BQ")
LONGEST = 64 * 2**20
"""Bytes of a payload, at most: a length beyond that is none."""


class Kind(IntEnum):
    """What a record holds; the numbers are for good, since files have them."""

    HELLO = 0
    """Who the run is and its whole table, as JSON; the last one counts."""
    TEXT = 1
    """A frame of JSON."""
    BINARY = 2
    """A binary frame."""
    BYE = 3
    """The goodbye of a run that has ended, as JSON."""


class Record(NamedTuple):
    """A record, as it was read."""

    kind: Kind
    seq: int
    payload: bytes
    end: int
    """Where the record ends in the file."""

    @property
    def frame(self) -> bytes | str:
        """The frame as it is sent."""
        return self.payload.decode() if self.kind is Kind.TEXT else self.payload

    @property
    def message(self) -> dict[str, Any]:
        """The message of a hello or a goodbye."""
        message: dict[str, Any] = json.loads(self.payload)
        return message


class NoRecordingError(Exception):
    """A file is no recording, or was cut before it said of which run."""


def encoded(kind: Kind, seq: int, payload: bytes) -> bytes:
    """Return a record's bytes."""
    about = _ABOUT.pack(kind, seq)
    checksum = zlib.crc32(payload, zlib.crc32(about))
    return b"".join((_LENGTHS.pack(len(payload), checksum), about, payload))


def frame_record(seq: int, frame: bytes | str) -> bytes:
    """Return the record of a frame."""
    if isinstance(frame, str):
        return encoded(Kind.TEXT, seq, frame.encode())
    return encoded(Kind.BINARY, seq, frame)


def message_record(kind: Kind, message: Mapping[str, Any]) -> bytes:
    """Return the record of a hello or a goodbye."""
    return encoded(kind, 0, json.dumps(message).encode())


def records(file: IO[bytes], start: int = len(MAGIC)) -> Iterator[Record]:
    """Yield the whole records of a file from a place on; what follows a damaged one is not read."""
    file.seek(start)
    size = _LENGTHS.size + _ABOUT.size
    while len(header := file.read(size)) == size:
        length, checksum = _LENGTHS.unpack_from(header)
        about = header[_LENGTHS.size :]
        payload = file.read(length) if length <= LONGEST else b""
        if len(payload) < length or zlib.crc32(payload, zlib.crc32(about)) != checksum:
            return
        kind, seq = _ABOUT.unpack(about)
        yield Record(Kind(kind), seq, payload, file.tell())


def server_of(path: Path) -> str | None:
    """Return where a file was to be sent, by its first record; None where it says no server.

    Raises :class:`NoRecordingError`, or OSError.
    """
    with path.open("rb") as file:
        first = next(_records_of(file, path), None)
    if first is None or first.kind is not Kind.HELLO:
        raise _cut(path)
    server: str | None = first.message.get("server")
    return server


def _records_of(file: IO[bytes], path: Path) -> Iterator[Record]:
    if file.read(len(MAGIC)) != MAGIC:
        raise NoRecordingError(f"{str(path)!r} is no recording of Gradgate's.")
    return records(file)


def _cut(path: Path) -> NoRecordingError:
    return NoRecordingError(f"{str(path)!r} was cut before it says of which run it is.")


class Recording:
    """A file that another process has left, or a part of one."""

    def __init__(self, path: Path) -> None:
        """Read who the run is; raises :class:`NoRecordingError`, or OSError."""
        self.path = path
        self.frames = self.last_seq = 0
        """How many frames there are, and the number of the last."""
        hello: dict[str, Any] | None = None
        self.bye: dict[str, Any] | None = None
        """The run's goodbye, where it has ended."""
        with path.open("rb") as file:
            for record in _records_of(file, path):
                if record.kind is Kind.HELLO:
                    hello = record.message
                elif record.kind is Kind.BYE:
                    self.bye = record.message
                else:
                    self.frames += 1
                    self.last_seq = record.seq
        if hello is None:
            raise _cut(path)
        self.server: str | None = hello.pop("server", None)
        """The address to which it was to be sent; None where there was none."""
        self.hello = hello

    def after(self, seq: int) -> Iterator[Record]:
        """Yield the frames above a sequence number, in their order."""
        with self.path.open("rb") as file:
            for record in records(file):
                if record.kind in (Kind.TEXT, Kind.BINARY) and record.seq > seq:
                    yield record
