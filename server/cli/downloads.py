"""Files of a server, which have their names only once they are whole."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tqdm import tqdm

from .failures import NotDone


@dataclass(frozen=True)
class Download:
    """What comes from a server, and the path of the file that it becomes."""

    path: Path
    pieces: Callable[[], Iterator[bytes]]


def save(downloads: Sequence[Download], *, force: bool) -> int:
    """Fetch files, give them their names once all have come, and return their bytes together.

    Raises `NotDone` when one is there already, unless `force` says to replace it, or cannot be
    written; then nothing has changed.
    """
    folder = downloads[0].path.parent
    there = [each.path for each in downloads if each.path.exists()]
    if there and not force:
        raise NotDone(
            f"{there[0]} is there already: give another --output, or replace it with --force."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Beside their places, so that a file only needs to be renamed.
        with TemporaryDirectory(prefix=".gradgate-", dir=folder) as unfinished:
            parts = [Path(unfinished, each.path.name) for each in downloads]
            written = 0
            with tqdm(unit="B", unit_scale=True, disable=None) as progress:
                for download, part in zip(downloads, parts, strict=True):
                    progress.set_description(download.path.name)
                    with part.open("wb") as file:
                        for piece in download.pieces():
                            file.write(piece)
                            written += len(piece)
                            progress.update(len(piece))
            for download, part in zip(downloads, parts, strict=True):
                os.replace(part, download.path)
    except OSError as error:
        raise NotDone(
            f"{folder} cannot be written ({error.strerror}): give another --output."
        ) from error
    return written


def show(pieces: Iterator[bytes]) -> None:
    """Write a file to the standard output as it comes."""
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
