"""Files that are sent while they are written."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Iterator
from zipfile import ZipFile, ZipInfo


class Outgoing(io.RawIOBase):
    """A file that keeps what is written until it is taken away; it cannot be read or sought."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        """Return that this can be written."""
        return True

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        """Keep some bytes."""
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """Return what was written since it was last taken."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def archive(files: Iterable[tuple[str, Iterable[bytes]]], compression: int) -> Iterator[bytes]:
    """Write files, each as it comes, into a zip; yields its bytes in order."""
    sink = Outgoing()
    now = time.localtime()[:6]
    with ZipFile(sink, "w", compression) as zipped:
        for name, parts in files:
            entry = ZipInfo(name, now)
            entry.compress_type = compression
            # Its size is not known before its end, and may be more than 4 GB.
            with zipped.open(entry, "w", force_zip64=True) as file:
                for part in parts:
                    file.write(part)
                    yield sink.take()
    yield sink.take()
