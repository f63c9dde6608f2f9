"""Where jobs of this machine leave what no server has taken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from .recording import SUFFIX, NoRecordingError, Recording, server_of
from .spool import Spool, lock_of

FOLDER = "GRADGATE_SPOOL"
"""The variable that names the folder; ``off`` for none."""
MOST = "GRADGATE_SPOOL_MB"
"""The variable that says how many MiB the file of a job may have."""
MOST_BYTES = 256 * 2**20
"""Bytes that the file of a job may have by default."""
FOLDER_BYTES = 2 * 2**30
"""Bytes in the folder beyond which jobs that begin leave nothing there."""


@dataclass(frozen=True)
class SpoolFolder:
    """The folder, and how large the file of a job may be."""

    path: Path
    most_bytes: int = MOST_BYTES

    @classmethod
    def of_environment(cls) -> SpoolFolder | None:
        """Return the folder that the environment names, or the user's; None where there is none.

        Raises ValueError where it says no number of MiB.
        """
        named = os.environ.get(FOLDER)
        if named == "off":
            return None
        path = Path(named) if named else platformdirs.user_state_path("gradgate") / "spool"
        most = os.environ.get(MOST, str(MOST_BYTES // 2**20))
        if not most.isdecimal() or int(most) < 1:
            raise ValueError(f"{MOST}={most!r}: give a whole number of MiB from 1 up.")
        return cls(path, int(most) * 2**20)

    def spool(self, run: str, server: str) -> Spool | None:
        """Return the file of a run, which is not made yet; None where the folder is full."""
        if sum(map(bytes_of, self._files())) >= FOLDER_BYTES:
            return None
        return Spool(self.path / f"{run}{SUFFIX}", self.most_bytes, server)

    def left_for(self, server: str) -> Iterator[Recording]:
        """Yield what jobs that are gone have left for a server, each locked while it is used."""
        for file in self._files():
            lock = FileLock(lock_of(file), blocking=False, thread_local=False)
            try:
                with lock:
                    if server_of(file) == server:
                        yield Recording(file)
            except (Timeout, NoRecordingError, OSError):
                continue  # its job still writes it, or it is none of ours
            if not file.exists():
                with suppress(OSError):  # the folder may be gone, too
                    lock_of(file).unlink()

    def _files(self) -> list[Path]:
        return sorted(self.path.glob(f"*{SUFFIX}")) if self.path.is_dir() else []


def bytes_of(file: Path) -> int:
    """Return the size of a file; 0 for one that is gone, or cannot be reached."""
    try:
        return file.stat().st_size
    except OSError:
        return 0
